"""The shop's tables and the queries on them. Documents go in and come out exactly as they are."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import cast

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    QueuePool,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.schema import CreateTable

from proctor.deployments.support.shop._documents import Database, Order, Product, User, Variant
from proctor.deployments.support.shop._values import Effect, PriceRule

CONNECTIONS_PER_TENANT = 16
_BUSY_SECONDS = 30.0

_metadata = MetaData()
_users = Table(
    "users",
    _metadata,
    Column("user_id", String, primary_key=True),
    Column("position", Integer, nullable=False, unique=True),
    Column("email", String, nullable=False, index=True),
    Column("first_name", String, nullable=False),
    Column("last_name", String, nullable=False),
    Column("zip", String, nullable=False),
    Column("document", JSON, nullable=False),
    Index("users_by_name_and_zip", "last_name", "first_name", "zip"),
)
_orders = Table(
    "orders",
    _metadata,
    Column("order_id", String, primary_key=True),
    Column("position", Integer, nullable=False, unique=True),
    Column("user_id", String, nullable=False, index=True),
    Column("status", String, nullable=False, index=True),
    Column("document", JSON, nullable=False),
)
_products = Table(
    "products",
    _metadata,
    Column("product_id", String, primary_key=True),
    Column("position", Integer, nullable=False, unique=True),
    Column("name", String, nullable=False, index=True),
    Column("document", JSON, nullable=False),
)
_items = Table(
    "items",
    _metadata,
    Column("item_id", String, primary_key=True),
    Column("product_id", String, nullable=False, index=True),
)
_settings = Table(
    "settings",
    _metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)
_effects = Table(
    "effects",
    _metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("idempotency_key", String, unique=True),
    Column("tool", String, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("at", String, nullable=False),
    sqlite_autoincrement=True,
)


def open_engine(path: Path) -> Engine:
    """The engine on an existing file; where `writing` is set, a transaction takes the write lock at once."""

    def connect() -> sqlite3.Connection:
        # mode=rw: SQLite would otherwise make an empty database of a file that isn't there.
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=rw",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=2,
        max_overflow=CONNECTIONS_PER_TENANT - 2,
        json_serializer=_dump,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def close_engine(engine: Engine) -> None:
    """Closes the connections: those of calls under way when they end."""
    event.listen(engine, "checkin", lambda _connection, entry: entry.invalidate())
    engine.dispose()


def create_tables(connection: Connection) -> None:
    """Make all tables, in the same order always, so that the same documents make the same file."""
    for table in _metadata.sorted_tables:
        connection.execute(CreateTable(table))
        for index in sorted(table.indexes, key=lambda one: str(one.name)):
            index.create(connection)


def put_price_rule(connection: Connection, rule: PriceRule) -> None:
    """Store by which rule replaced lines are priced."""
    connection.execute(insert(_settings).values(name="price_rule", value=rule))


def read_price_rule(connection: Connection) -> PriceRule:
    """By which rule replaced lines are priced."""
    query = select(_settings.c.value).where(_settings.c.name == "price_rule")
    return cast("PriceRule", connection.scalar(query))


def find_user_by_email(connection: Connection, email: str) -> str | None:
    """The id of the customer with this e-mail address, in any case."""
    query = select(_users.c.user_id).where(_users.c.email == email.casefold())
    return connection.scalar(query.order_by(_users.c.position).limit(1))


def find_user_by_name_zip(
    connection: Connection, first_name: str, last_name: str, zip_code: str
) -> str | None:
    """The id of the customer of this name, in any case, and this zip code."""
    query = select(_users.c.user_id).where(
        _users.c.first_name == first_name.casefold(),
        _users.c.last_name == last_name.casefold(),
        _users.c.zip == zip_code,
    )
    return connection.scalar(query.order_by(_users.c.position).limit(1))


def read_user(connection: Connection, user_id: str) -> User | None:
    """The customer's document."""
    query = select(_users.c.document).where(_users.c.user_id == user_id)
    return cast("User | None", connection.scalar(query))


def read_order(connection: Connection, order_id: str) -> Order | None:
    """The order's document."""
    query = select(_orders.c.document).where(_orders.c.order_id == order_id)
    return cast("Order | None", connection.scalar(query))


def read_product(connection: Connection, product_id: str) -> Product | None:
    """The product type's document."""
    query = select(_products.c.document).where(_products.c.product_id == product_id)
    return cast("Product | None", connection.scalar(query))


def read_item(connection: Connection, item_id: str) -> Variant | None:
    """The variant of this item id, of whatever product."""
    query = select(_products.c.document).join(_items, _items.c.product_id == _products.c.product_id)
    product = cast("Product | None", connection.scalar(query.where(_items.c.item_id == item_id)))
    return None if product is None else product["variants"][item_id]


def read_product_names(connection: Connection) -> dict[str, str]:
    """The id of each product type by its name, sorted by name."""
    query = select(_products.c.name, _products.c.product_id).order_by(_products.c.name)
    return {row.name: row.product_id for row in connection.execute(query)}


def put_user(connection: Connection, user_id: str, user: User) -> None:
    """Store a customer, new or changed."""
    columns = {
        "email": user["email"].casefold(),
        "first_name": user["name"]["first_name"].casefold(),
        "last_name": user["name"]["last_name"].casefold(),
        "zip": user["address"]["zip"],
        "document": user,
    }
    _put(connection, _users, user_id, columns)


def put_order(connection: Connection, order_id: str, order: Order) -> None:
    """Store an order, new or changed."""
    columns = {"user_id": order["user_id"], "status": order["status"], "document": order}
    _put(connection, _orders, order_id, columns)


def put_product(connection: Connection, product_id: str, product: Product) -> None:
    """Store a product type, new or changed, and index its items."""
    _put(connection, _products, product_id, {"name": product["name"], "document": product})
    connection.execute(delete(_items).where(_items.c.product_id == product_id))
    if product["variants"]:
        rows = [{"item_id": item_id, "product_id": product_id} for item_id in product["variants"]]
        connection.execute(insert(_items), rows)


def remove(connection: Connection, table: str, key: str) -> None:
    """Delete one document of `users`, `orders` or `products`."""
    if table == "products":
        connection.execute(delete(_items).where(_items.c.product_id == key))
    chosen = _metadata.tables[table]
    connection.execute(delete(chosen).where(_key(chosen) == key))


def read_database(connection: Connection) -> Database:
    """Every document, in the order in which they came."""
    tables = {
        table.name: {
            row[0]: row[1]
            for row in connection.execute(select(_key(table), table.c.document).order_by(table.c.position))
        }
        for table in (_products, _users, _orders)
    }
    return cast("Database", tables)


def add_effect(connection: Connection, effect: Effect) -> None:
    """Append one executed write; its `seq` is given by the database."""
    connection.execute(
        insert(_effects).values(
            idempotency_key=effect.idempotency_key,
            tool=effect.tool,
            arguments=effect.arguments,
            result=effect.result,
            at=effect.at.isoformat(),
        )
    )


def find_effect(connection: Connection, idempotency_key: str) -> Effect | None:
    """The write executed under this key."""
    row = (
        connection.execute(select(_effects).where(_effects.c.idempotency_key == idempotency_key))
        .mappings()
        .first()
    )
    return None if row is None else _effect(cast("Mapping[str, object]", row))


def list_effects(connection: Connection) -> tuple[Effect, ...]:
    """All executed writes in their order."""
    rows = connection.execute(select(_effects).order_by(_effects.c.seq)).mappings()
    return tuple(_effect(cast("Mapping[str, object]", row)) for row in rows)


def _effect(row: Mapping[str, object]) -> Effect:
    return Effect(
        seq=cast("int", row["seq"]),
        idempotency_key=cast("str | None", row["idempotency_key"]),
        tool=cast("str", row["tool"]),
        arguments=cast("str", row["arguments"]),
        result=cast("str", row["result"]),
        at=datetime.fromisoformat(cast("str", row["at"])),
    )


def _put(connection: Connection, table: Table, key: str, columns: Mapping[str, object]) -> None:
    changed = connection.execute(update(table).where(_key(table) == key).values(columns))
    if changed.rowcount == 0:
        last = connection.scalar(select(func.max(table.c.position)))
        position = 0 if last is None else last + 1
        connection.execute(insert(table).values({_key(table).name: key, "position": position, **columns}))


def _key(table: Table) -> Column[str]:
    return cast("Column[str]", next(iter(table.primary_key)))


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
