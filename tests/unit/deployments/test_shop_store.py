"""Tenants as files, and the ledger of effects."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from proctor.deployments.support.shop import (
    Effect,
    InvalidDatabase,
    InvalidKey,
    InvalidTenant,
    KeyReused,
    OrderNotPending,
    Shop,
    TenantExists,
    TenantMissing,
    apply_patch,
    copy_tenant,
    create_tenant,
    export_database,
    load_database,
    main,
    make_sample,
    read_effects,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAMPLE = make_sample()
PENDING = [key for key, order in SAMPLE["orders"].items() if order["status"] == "pending"]
CANCEL = {"order_id": PENDING[0], "reason": "no longer needed"}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    root = tmp_path_factory.mktemp("template")
    create_tenant(root, "default", SAMPLE)
    return (root / "default.sqlite").read_bytes()


@pytest.fixture
def root(template: bytes, tmp_path: Path) -> Path:
    (tmp_path / "default.sqlite").write_bytes(template)
    return tmp_path


@pytest.fixture
def shop(root: Path):
    opened = Shop(root, now=lambda: NOW)
    yield opened
    opened.close()


def test_the_same_seed_makes_the_same_bytes_and_another_seed_others(tmp_path):
    for tenant, seed in (("one", 3), ("two", 3), ("three", 4)):
        create_tenant(tmp_path, tenant, make_sample(seed))
    one, two, three = ((tmp_path / f"{name}.sqlite").read_bytes() for name in ("one", "two", "three"))
    assert one == two
    assert one != three


def test_the_sample_is_a_consistent_shop():
    assert (len(SAMPLE["products"]), len(SAMPLE["users"]), len(SAMPLE["orders"])) == (42, 200, 500)
    assert {one["status"] for one in SAMPLE["orders"].values()} == {
        "pending",
        "processed",
        "delivered",
        "cancelled",
    }
    for key, order in SAMPLE["orders"].items():
        user = SAMPLE["users"][order["user_id"]]
        assert key in user["orders"]
        assert order["payment_history"][0]["amount"] == round(
            sum(line["price"] for line in order["items"]), 2
        )
        assert order["payment_history"][0]["payment_method_id"] in user["payment_methods"]
        for line in order["items"]:
            assert line["item_id"] in SAMPLE["products"][line["product_id"]]["variants"]


def test_an_export_is_what_was_loaded_to_the_form_of_its_numbers(tmp_path):
    database = make_sample()
    user = next(iter(database["users"].values()))
    user["payment_methods"] = {
        "gift_card_1": {"source": "gift_card", "id": "gift_card_1", "balance": 10},
        "gift_card_2": {"source": "gift_card", "id": "gift_card_2", "balance": 10.0},
    }
    order = next(iter(database["orders"].values()))
    order["return_items"] = None
    order["gift_note"] = "für Zoë 礼物"
    source = tmp_path / "shop.json"
    source.write_text(json.dumps(database), encoding="utf-8")
    load_database(tmp_path, "loaded", source)
    assert json.dumps(export_database(tmp_path, "loaded")) == json.dumps(database)


def test_a_folder_of_three_files_loads_as_one_file_does(tmp_path):
    for table, documents in SAMPLE.items():
        (tmp_path / f"{table}.json").write_text(json.dumps(documents), encoding="utf-8")
    load_database(tmp_path, "loaded", tmp_path)
    assert export_database(tmp_path, "loaded") == SAMPLE


@pytest.mark.parametrize(
    "text", ["", "[]", '{"products": {}}', '{"products": {"1": {}}, "users": {}, "orders": {}}']
)
def test_what_is_not_a_shop_makes_no_tenant(tmp_path, text):
    source = tmp_path / "source.json"
    source.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidDatabase):
        load_database(tmp_path / "root", "loaded", source)
    assert not (tmp_path / "root" / "loaded.sqlite").exists()


@pytest.mark.parametrize("name", ["", "Default", "a/b", "../up", "a" * 65, "a.b", "ü", "a\n"])
def test_a_tenant_name_off_the_alphabet_is_refused_everywhere(shop, root, name):
    for attempt in (
        lambda: shop.call("list_all_product_types", {}, tenant=name),
        lambda: create_tenant(root, name, SAMPLE),
        lambda: copy_tenant(root, "default", name),
        lambda: export_database(root, name),
    ):
        with pytest.raises(InvalidTenant):
            attempt()


def test_a_missing_tenant_is_said_to_be_missing_and_not_made(shop, root):
    with pytest.raises(TenantMissing):
        shop.call("list_all_product_types", {}, tenant="ghost")
    with pytest.raises(TenantMissing):
        copy_tenant(root, "ghost", "other")
    assert sorted(path.name for path in root.iterdir()) == ["default.sqlite"]


def test_no_tenant_takes_the_place_of_another(root):
    with pytest.raises(TenantExists):
        create_tenant(root, "default", SAMPLE)
    copy_tenant(root, "default", "copy")
    with pytest.raises(TenantExists):
        copy_tenant(root, "default", "copy")


def test_a_copy_holds_what_was_written_and_goes_its_own_way(shop, root):
    shop.call("cancel_pending_order", CANCEL)
    copy_tenant(root, "default", "copy")
    shop.call("cancel_pending_order", {**CANCEL, "order_id": PENDING[1]}, tenant="copy")
    assert [len(read_effects(root, tenant)) for tenant in ("default", "copy")] == [1, 2]
    assert export_database(root, "copy")["orders"][PENDING[0]]["status"] == "cancelled"
    assert export_database(root, "default")["orders"][PENDING[1]]["status"] == "pending"


def test_a_patch_sets_adds_and_deletes_and_leaves_no_effect(root):
    order = {**SAMPLE["orders"][PENDING[0]], "order_id": "#W0000001", "status": "delivered"}
    apply_patch(root, "default", {"agent/orders/#W0000001": order, f"orders/{PENDING[0]}": None})
    orders = export_database(root, "default")["orders"]
    assert list(orders)[-1] == "#W0000001"
    assert PENDING[0] not in orders
    assert read_effects(root, "default") == ()


@pytest.mark.parametrize(
    "patch", [{"agent/parcels/1": {}}, {"orders/#W1": {"status": "x"}}, {"orders": None}]
)
def test_a_patch_that_fits_no_shop_changes_nothing(root, patch):
    with pytest.raises(InvalidDatabase):
        apply_patch(root, "default", {f"orders/{PENDING[0]}": None, **patch})
    assert export_database(root, "default") == SAMPLE


def test_an_effect_says_what_was_done(shop, root):
    answer = shop.call("cancel_pending_order", CANCEL, idempotency_key="k1")
    assert read_effects(root, "default") == (
        Effect(
            seq=1,
            idempotency_key="k1",
            tool="cancel_pending_order",
            arguments=f'{{"order_id":"{PENDING[0]}","reason":"no longer needed"}}',
            result=answer,
            at=NOW,
        ),
    )


def test_a_repeated_key_gives_the_recorded_answer_and_does_nothing(shop, root):
    first = shop.call("cancel_pending_order", CANCEL, idempotency_key="k1")
    before = export_database(root, "default")
    again = shop.call("cancel_pending_order", dict(reversed(CANCEL.items())), idempotency_key="k1")
    assert again == first
    assert export_database(root, "default") == before
    assert len(read_effects(root, "default")) == 1


def test_a_key_of_another_call_is_refused(shop, root):
    shop.call("cancel_pending_order", CANCEL, idempotency_key="k1")
    with pytest.raises(KeyReused):
        shop.call("cancel_pending_order", {**CANCEL, "order_id": PENDING[1]}, idempotency_key="k1")
    assert len(read_effects(root, "default")) == 1


def test_a_refused_write_uses_up_no_key(shop, root):
    shop.call("cancel_pending_order", CANCEL)
    with pytest.raises(OrderNotPending):
        shop.call("cancel_pending_order", CANCEL, idempotency_key="k1")
    shop.call("cancel_pending_order", {**CANCEL, "order_id": PENDING[1]}, idempotency_key="k1")
    assert [effect.idempotency_key for effect in read_effects(root, "default")] == [None, "k1"]


def test_ignored_keys_are_not_recorded_and_protect_from_nothing(root):
    shop = Shop(root, keys="ignored")
    order = SAMPLE["orders"][PENDING[0]]
    address = {"order_id": PENDING[0], **order["address"]}
    for _ in range(2):
        shop.call("modify_pending_order_address", address, idempotency_key="k1")
    shop.close()
    assert [effect.idempotency_key for effect in read_effects(root, "default")] == [None, None]


@pytest.mark.parametrize("key", ["", "k" * 201])
def test_a_key_of_no_or_too_much_length_is_refused(shop, key):
    with pytest.raises(InvalidKey):
        shop.call("cancel_pending_order", CANCEL, idempotency_key=key)


def test_a_call_that_outlasts_its_tenants_turn_leaves_no_file_open(root, template):
    others = [f"other-{number}" for number in range(70)]
    for name in others:
        (root / f"{name}.sqlite").write_bytes(template)
    writes, go = threading.Event(), threading.Event()

    def now() -> datetime:
        writes.set()
        go.wait(20)
        return NOW

    shop = Shop(root, now=now)
    with ThreadPoolExecutor(1) as thread:
        written = thread.submit(shop.call, "cancel_pending_order", CANCEL)
        assert writes.wait(20)
        for name in others:
            shop.call("list_all_product_types", {}, tenant=name)
        go.set()
        written.result(20)
    shop.close()
    assert [file.path for file in psutil.Process().open_files() if Path(file.path).parent == root] == []


def test_one_key_sent_by_many_at_once_has_one_effect(shop, root):
    ready = threading.Barrier(8)

    def cancel(_: int) -> str:
        ready.wait(timeout=10)
        return shop.call("cancel_pending_order", CANCEL, idempotency_key="k1")

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(cancel, range(8)))
    assert len(answers) == 1
    assert len(read_effects(root, "default")) == 1


def test_writers_of_one_tenant_never_lose_each_others_work(shop, root):
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda order: shop.call("cancel_pending_order", {**CANCEL, "order_id": order}), PENDING[:24]
            )
        )
    orders = export_database(root, "default")["orders"]
    assert {orders[key]["status"] for key in PENDING[:24]} == {"cancelled"}
    assert [effect.seq for effect in read_effects(root, "default")] == list(range(1, 25))


def test_more_tenants_than_are_kept_open_still_answer(shop, root):
    names = [f"t{n}" for n in range(70)]
    for name in names:
        copy_tenant(root, "default", name)
    for _ in range(2):
        for name in names:
            assert shop.call("find_user_id_by_email", {"email": _some_email()}, tenant=name)


def _some_email() -> str:
    return next(iter(SAMPLE["users"].values()))["email"]


def test_the_command_makes_exports_and_lists(tmp_path, capsys):
    for command in ("sample --seed 7", "export", "effects --json"):
        with pytest.raises(SystemExit) as end:
            main([*command.split(), "--root", str(tmp_path)])
        assert end.value.code in (0, None)
    exported, effects = capsys.readouterr().out.splitlines()
    assert json.loads(exported) == SAMPLE
    assert json.loads(effects) == []


def test_the_command_ends_with_a_reason_where_the_shop_refuses(tmp_path):
    with pytest.raises(SystemExit, match="ghost"):
        main(["export", "--root", str(tmp_path), "--tenant", "ghost"])
