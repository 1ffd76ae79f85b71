"""Where the command `proctor-store-mcp` enters."""

import sys
from collections.abc import Sequence

from proctor.deployments.support.shop._errors import ShopError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with these arguments, or the process's own; a refusal of the shop ends it with 1."""
    # Imported here: most who import the shop never run its command.
    from proctor.deployments.support.shop._commands import app

    try:
        app(arguments)
    except ShopError as error:
        sys.exit(f"proctor-store-mcp: {error}")
