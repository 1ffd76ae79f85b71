"""What can be looked up in the shop. Nothing here changes anything."""

from sqlalchemy import Connection

from proctor.deployments.support.shop import _sql
from proctor.deployments.support.shop._documents import Order, Product, User, Variant
from proctor.deployments.support.shop._errors import (
    ItemNotFound,
    OrderNotFound,
    ProductNotFound,
    UserNotFound,
)


def find_user_id_by_email(connection: Connection, email: str) -> str:
    """The id of the customer with this e-mail address; capitals don't matter.

    Raises:
        UserNotFound: Nobody has it.
    """
    return _found(_sql.find_user_by_email(connection, email))


def find_user_id_by_name_zip(connection: Connection, first_name: str, last_name: str, zip: str) -> str:
    """The id of the customer of this name and zip code; capitals don't matter.

    Raises:
        UserNotFound: Nobody matches.
    """
    return _found(_sql.find_user_by_name_zip(connection, first_name, last_name, zip))


def get_user_details(connection: Connection, user_id: str) -> User:
    """A customer's profile: name, address, e-mail, payment methods and order ids.

    Raises:
        UserNotFound: There is no such id.
    """
    user = _sql.read_user(connection, user_id)
    if user is None:
        raise UserNotFound
    return user


def get_order_details(connection: Connection, order_id: str) -> Order:
    """An order with its items, status, parcels and payments.

    Raises:
        OrderNotFound: There is no such id.
    """
    order = _sql.read_order(connection, order_id)
    if order is None:
        raise OrderNotFound(order_id)
    return order


def get_product_details(connection: Connection, product_id: str) -> Product:
    """A product type with all of its variants.

    Raises:
        ProductNotFound: There is no such id.
    """
    product = _sql.read_product(connection, product_id)
    if product is None:
        raise ProductNotFound(product_id)
    return product


def get_item_details(connection: Connection, item_id: str) -> Variant:
    """One variant, whatever its product.

    Raises:
        ItemNotFound: There is no such id.
    """
    variant = _sql.read_item(connection, item_id)
    if variant is None:
        raise ItemNotFound(item_id)
    return variant


def list_all_product_types(connection: Connection) -> dict[str, str]:
    """The product id of each product type by its name, sorted by name."""
    return _sql.read_product_names(connection)


def _found(user_id: str | None) -> str:
    if user_id is None:
        raise UserNotFound
    return user_id
