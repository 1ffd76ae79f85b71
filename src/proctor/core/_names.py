"""What tenants and persons may be called."""

from typing import Annotated, TypeAlias

from pydantic import AfterValidator

from proctor.core._errors import InvalidInput
from proctor.core._questions import LONGEST_NAME

LONGEST_TENANT = 64


def check_tenant(name: str) -> None:
    """Returns where a tenant may have the name.

    Raises:
        InvalidInput: it may not.
    """
    # The slash parts a tenant's name from what is kept under it.
    if not name.strip() or len(name) > LONGEST_TENANT or not name.isprintable() or "/" in name:
        raise InvalidInput(f"a tenant's name has 1 to {LONGEST_TENANT} printable characters, and no slash")


def check_name(what: str, name: str) -> None:
    """Returns where a person may have the name, or none; `what` is who that is.

    Raises:
        InvalidInput: they may not.
    """
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidInput(f"a {what}'s name has at most {LONGEST_NAME} printable characters")


def _tenant(name: str) -> str:
    try:
        check_tenant(name)
    except InvalidInput as error:
        raise ValueError(error.message) from None
    return name


TenantName: TypeAlias = Annotated[str, AfterValidator(_tenant)]
"""Of a setting."""
