"""Prints the API's description: `python -m proctor.api > docs/openapi.json`."""

import asyncio
import sys

from proctor.api._document import describe

if __name__ == "__main__":
    sys.stdout.write(asyncio.run(describe()))
