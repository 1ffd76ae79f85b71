from datetime import timedelta
from pathlib import Path

import pytest

from proctor.app import Loaded, load_settings
from proctor.core import ConfigurationError, UnknownKey


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def load(toml: str = "", **environ: str) -> Loaded:
        (tmp_path / "proctor.toml").write_text(toml, encoding="utf-8")
        return load_settings(environ=environ)

    return load


def test_without_a_file_all_values_are_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    loaded = load_settings(environ={"HOME": "/", "PROCTOR_DEBUG": "1"})

    assert loaded.settings.server.port == 8700
    assert loaded.path is None
    assert loaded.source("server.port") == "default"


def test_the_environment_stands_over_the_file_and_each_value_knows_its_source(load):
    loaded = load(
        '[models.small]\nmodel = "a"\nretries = 1\n',
        PROCTOR_MODELS__SMALL__RETRIES="2",
        PROCTOR_APP="shop.py",
    )

    assert loaded.settings.models["small"].retries == 2
    assert loaded.settings.app == "shop.py"
    assert loaded.source("models.small.model") == "proctor.toml"
    assert loaded.source("models.small.retries") == "PROCTOR_MODELS__SMALL__RETRIES"
    assert loaded.source("models.small.timeout") == "default"


@pytest.mark.parametrize("name", ["my-model", "My-Model", "my_model"])
def test_a_variable_finds_the_section_however_the_file_writes_its_name(load, name: str):
    loaded = load(f'[models.{name}]\nmodel = "a"\n', PROCTOR_MODELS__MY_MODEL__TIMEOUT="3")

    assert loaded.settings.models[name].timeout == timedelta(seconds=3)


def test_a_tool_servers_own_variables_keep_their_capitals(load):
    loaded = load('[tools.shop]\ncommand = ["shop"]', PROCTOR_TOOLS__SHOP__ENV__API_TOKEN="abc")

    assert loaded.settings.tools["shop"].env == {"API_TOKEN": "abc"}


def test_a_variable_can_hold_a_whole_table(load):
    loaded = load(PROCTOR_MODELS__SMALL='{ model = "a", price = { input = 1, output = 2 } }')

    assert loaded.settings.models["small"].model == "a"
    assert loaded.source("models.small.price.input") == "PROCTOR_MODELS__SMALL"


@pytest.mark.parametrize(
    ("toml", "environ", "place", "meant"),
    [
        ('[modles.small]\nmodel = "a"', {}, "modles", "models"),
        ('[models.small]\nmodle = "a"', {}, "models.small.modle", "models.small.model"),
        ("[teams.desk]\ndead_line = 3", {}, "teams.desk.dead_line", "teams.desk.deadline"),
        ('[policies.input]\nsecrets = "deny"', {}, "policies.input.secrets", "policies.input.secret"),
        (
            '[models.small]\nmodel = "a"\nprice = { inptu = 1, output = 1 }',
            {},
            "models.small.price.inptu",
            "models.small.price.input",
        ),
        (
            '[[teams.desk.approvals]]\ntools = ["a"]\nquorom = 2',
            {},
            "teams.desk.approvals.1.quorom",
            "teams.desk.approvals.1.quorum",
        ),
        ("", {"PROCTOR_BUDGET__DAYLY_USD": "3"}, "budget.dayly_usd", "budget.daily_usd"),
        ("", {"PROCTOR_BUDGET_DAILY_USD": "3"}, "budget_daily_usd", "PROCTOR_BUDGET__DAILY_USD"),
    ],
)
def test_an_unknown_key_is_named_with_the_likely_one(load, toml: str, environ, place: str, meant: str):
    with pytest.raises(UnknownKey) as raised:
        load(toml, **environ)

    assert raised.value.message.startswith(next(iter(environ), "proctor.toml"))
    assert raised.value.message.endswith(f" {place}")
    assert meant in raised.value.hint


def test_a_key_that_resembles_none_is_told_those_that_there_are(load):
    with pytest.raises(UnknownKey) as raised:
        load("[budget]\nxyz = 1")

    assert "daily_usd" in raised.value.hint


def test_keys_of_a_free_table_are_no_settings(load):
    loaded = load(
        '[tools.shop]\ncommand = ["shop"]\nenv = { ANY_NAME = "1" }\neffects = { sell = "idempotent" }'
    )

    assert loaded.settings.tools["shop"].env == {"ANY_NAME": "1"}


@pytest.mark.parametrize(
    ("toml", "environ", "place"),
    [
        ("[server]\nport = 99999", {}, "proctor.toml, line 2: server.port:"),
        ("", {"PROCTOR_SERVER__PORT": "http"}, "PROCTOR_SERVER__PORT: server.port:"),
        ("[models.small]\nretries = 1", {}, "proctor.toml, line 1: models.small.model:"),
        (
            '[models.small]\nmodel = "a"\nprice = { input = 1 }',
            {},
            "proctor.toml, line 3: models.small.price.output:",
        ),
        ('[models."a b"]\nmodel = "a"', {}, "proctor.toml, line 1: models.a b:"),
        ("[tools.shop]\nallow = []", {}, "proctor.toml, line 1: tools.shop:"),
        (
            '[[teams.desk.approvals]]\ntools = ["a"]\n[[teams.desk.approvals]]\ntools = ["b"]\nquorum = 0',
            {},
            "proctor.toml, line 5: teams.desk.approvals.2.quorum:",
        ),
        ("models = 3", {}, "proctor.toml, line 1: models:"),
        ("models = [", {}, "proctor.toml is not valid TOML"),
        ('app = "a"', {"PROCTOR_APP__NAME": "b"}, "PROCTOR_APP__NAME"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_source(load, toml: str, environ, place: str):
    with pytest.raises(ConfigurationError) as raised:
        load(toml, **environ)

    assert raised.value.message.startswith(place)


@pytest.mark.parametrize(
    "toml", ['api_key = "sk-123"', 'api_key = "sk-123"\nmodel = 4', 'timeout = "sk-123"\nmodel = "a"']
)
def test_an_error_never_quotes_what_may_be_a_secret(load, toml: str):
    with pytest.raises(ConfigurationError) as raised:
        load(f"[models.small]\n{toml}")

    assert "sk-123" not in str(raised.value)


def test_a_file_that_is_named_must_be_there(tmp_path: Path):
    for path, environ in ((tmp_path / "no.toml", {}), (None, {"PROCTOR_CONFIG": str(tmp_path / "no.toml")})):
        with pytest.raises(ConfigurationError, match=r"no\.toml"):
            load_settings(path, environ=environ)


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path):
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigurationError, match="UTF-8"):
        load_settings(tmp_path / "odd.toml", environ={})


ANN_AND_BEN = '[roles.pair]\nmembers = ["ann", "ben"]\n[roles.one]\nmembers = ["ann"]\n'
RULE = '[[teams.desk.approvals]]\ntools = ["refund"]\n'


@pytest.mark.parametrize(
    "toml",
    [
        '[roles.pair]\nmembers = ["ann", "\uff21\uff2e\uff2e"]\n' + RULE + 'roles = ["pair"]\nquorum = 2',
        '[roles.pair]\nmembers = [" "]',
        '[roles.pair]\nmembers = ["Expiry"]',
        '[roles.pair]\nmembers = ["link:board"]',
        ANN_AND_BEN + RULE + 'roles = ["pair"]\nquorum = 2\nnot_requester = true',
        ANN_AND_BEN + RULE + 'roles = ["one"]\nsecond = { roles = ["one"] }',
        ANN_AND_BEN + RULE + 'roles = ["pair"]\nquorum = 2\nsecond = { roles = ["one"] }',
        '[notices]\nroles = ["mangers"]\n[roles.manager]\nmembers = ["ann"]',
        "[degradation]\nerror_rate = [25, 50]",
        "[degradation]\np95_seconds = [inf]",
        RULE + "when = { amount = { above = nan } }",
        RULE + "when = { amount = { equals = nan } }",
        "[teams.desk]\ndeadline = -5",
        "[teams.desk]\nretry_pause = -5",
        "[budget]\ndaily_usd = -1",
        '[notices]\nlink_life = "P999999999D"',
    ],
)
def test_what_cannot_work_is_refused_before_it_is_needed(load, toml: str):
    with pytest.raises(ConfigurationError):
        load(toml)


@pytest.mark.parametrize(
    "rule",
    [
        'roles = ["pair"]\nquorum = 2',
        'roles = ["pair"]\nnot_requester = true',
        'roles = ["one"]\nsecond = { roles = ["pair"] }',
        'roles = ["one"]\nsecond = {}',
        'second = { roles = ["one"] }',
    ],
)
def test_a_rule_with_just_enough_people_is_taken(load, rule: str):
    assert load(ANN_AND_BEN + RULE + rule).settings.teams["desk"].approvals


def test_an_option_with_a_price_of_its_own_needs_that_price(load):
    section = '[models.small]\nmodel = "a"\noptions = { service_tier = "priority" }\n'

    with pytest.raises(ConfigurationError, match="service_tier"):
        load(section)

    assert load(f"{section}price = {{ input = 2, output = 8 }}").settings.models["small"].price


def test_an_agent_cannot_be_left_to_a_router_that_has_nothing_to_choose_from(load):
    agent = '[teams.desk.agents.clerk]\nmodel = "auto"\n[models.small]\nmodel = "a"\n'

    with pytest.raises(ConfigurationError) as caught:
        load(agent)

    assert "tier" in caught.value.hint
    assert load(f'{agent}tier = "small"').settings.teams["desk"].agents["clerk"].model == "auto"
