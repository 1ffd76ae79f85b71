"""A tenant's database as a whole: made, copied, patched, read back. Its file is `ROOT/<tenant>.sqlite`."""

import json
import re
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection

from proctor.deployments.support.shop import _sql
from proctor.deployments.support.shop._documents import Database, Order, Product, User
from proctor.deployments.support.shop._errors import (
    InvalidDatabase,
    InvalidTenant,
    TenantExists,
    TenantMissing,
)
from proctor.deployments.support.shop._values import Effect, PriceRule

_T = TypeVar("_T")
_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_database = TypeAdapter(Database)
_user, _order, _product = TypeAdapter(User), TypeAdapter(Order), TypeAdapter(Product)


def tenant_path(root: Path, tenant: str) -> Path:
    """Where the tenant's database file is, or would be.

    Raises:
        InvalidTenant: The name isn't 1 to 64 of a-z, 0-9, '_' and '-'.
    """
    if not _NAME.fullmatch(tenant):
        raise InvalidTenant(tenant)
    return root / f"{tenant}.sqlite"


def existing_path(root: Path, tenant: str) -> Path:
    """Where the tenant's database file is.

    Raises:
        InvalidTenant: The name isn't allowed.
        TenantMissing: There is no such file.
    """
    path = tenant_path(root, tenant)
    if not path.is_file():
        raise TenantMissing(tenant)
    return path


def load_database(root: Path, tenant: str, source: Path, *, price_rule: PriceRule = "own_variant") -> None:
    """Make a tenant of a JSON file, or of a folder with `products.json`, `users.json` and `orders.json`.

    Its price rule goes with it into its copies; only recordings of tau2-bench need another than the default.

    Raises:
        InvalidTenant, TenantExists: The tenant can't be made.
        InvalidDatabase: The source can't be read, or isn't a shop.
    """
    try:
        if source.is_dir():
            database = Database(
                products=_read_json(source / "products.json"),
                users=_read_json(source / "users.json"),
                orders=_read_json(source / "orders.json"),
            )
        else:
            database = _read_json(source)
    except (OSError, ValueError) as error:
        raise InvalidDatabase(
            f"{source} can't be read as JSON: {error}. Name a database file or folder."
        ) from error
    create_tenant(root, tenant, database, price_rule=price_rule)


def create_tenant(
    root: Path, tenant: str, database: Database, *, price_rule: PriceRule = "own_variant"
) -> None:
    """Make a tenant that holds these documents. It is there whole, or not at all.

    Raises:
        InvalidTenant, TenantExists: The tenant can't be made.
        InvalidDatabase: The documents aren't a shop's.
    """
    path = tenant_path(root, tenant)
    _checked(_database, database)
    with _placing(path, tenant) as draft:
        draft.touch()
        with _transaction(draft, writing=True) as connection:
            _sql.create_tables(connection)
            _sql.put_price_rule(connection, price_rule)
            for product_id, product in database["products"].items():
                _sql.put_product(connection, product_id, product)
            for user_id, user in database["users"].items():
                _sql.put_user(connection, user_id, user)
            for order_id, order in database["orders"].items():
                _sql.put_order(connection, order_id, order)


def copy_tenant(root: Path, source: str, target: str) -> None:
    """Make a tenant that is another's copy, effects included, even while that one is written to.

    Raises:
        InvalidTenant, TenantMissing, TenantExists: It can't be copied so.
    """
    path = tenant_path(root, target)
    # SQLite's own backup and not a copy of the file: closing a plain file handle would drop this process's
    # locks on it.
    with (
        _placing(path, target) as draft,
        closing(sqlite3.connect(existing_path(root, source))) as original,
        closing(sqlite3.connect(draft)) as copy,
    ):
        # A copy that a power cut spoils is simply made again, so nothing waits for the disk here.
        copy.execute("PRAGMA synchronous = OFF")
        original.backup(copy)


def export_database(root: Path, tenant: str) -> Database:
    """All documents of a tenant, exactly as they were loaded where nothing has changed them.

    Raises:
        InvalidTenant, TenantMissing: There is no such tenant.
    """
    with _transaction(existing_path(root, tenant), writing=False) as connection:
        return _sql.read_database(connection)


def read_effects(root: Path, tenant: str) -> tuple[Effect, ...]:
    """Every write that the tenant's shop has executed, in order.

    Raises:
        InvalidTenant, TenantMissing: There is no such tenant.
    """
    with _transaction(existing_path(root, tenant), writing=False) as connection:
        return _sql.list_effects(connection)


def apply_patch(root: Path, tenant: str, patch: Mapping[str, object]) -> None:
    """Set documents by `agent/<table>/<key>` or `<table>/<key>`; None deletes. It leaves no effect behind.

    Raises:
        InvalidTenant, TenantMissing: There is no such tenant.
        InvalidDatabase: A path or a document isn't a shop's; nothing is changed.
    """
    with _transaction(existing_path(root, tenant), writing=True) as connection:
        for place, document in patch.items():
            table, _, key = place.removeprefix("agent/").partition("/")
            _set_document(connection, table, key, document)


def _read_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _set_document(connection: Connection, table: str, key: str, document: object) -> None:
    if table not in {"products", "users", "orders"} or not key:
        raise InvalidDatabase(f"'{table}/{key}' is no document of a shop. Use products, users or orders.")
    if document is None:
        _sql.remove(connection, table, key)
    elif table == "products":
        _sql.put_product(connection, key, _checked(_product, document))
    elif table == "users":
        _sql.put_user(connection, key, _checked(_user, document))
    else:
        _sql.put_order(connection, key, _checked(_order, document))


def _checked(shape: TypeAdapter[_T], document: object) -> _T:
    try:
        shape.validate_python(document, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise InvalidDatabase(
            f"{error.error_count()} faults, the first at {place}: {first['msg']}."
        ) from error
    # The document itself and not the validated copy, which has lost unknown fields and the form of numbers.
    return cast("_T", document)


@contextmanager
def _transaction(path: Path, *, writing: bool) -> Iterator[Connection]:
    engine = _sql.open_engine(path)
    try:
        with engine.connect().execution_options(writing=writing) as connection, connection.begin():
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _placing(path: Path, tenant: str) -> Iterator[Path]:
    """A file to write that takes its place when all went well, and never the place of another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".making-") as folder:
        draft = Path(folder) / path.name
        yield draft
        try:
            path.hardlink_to(draft)
        except FileExistsError as error:
            raise TenantExists(tenant) from error
