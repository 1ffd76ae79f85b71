"""The API's description: kept beside the code, and true."""

import json
from pathlib import Path

from proctor.api import describe

KEPT = Path(__file__).parents[2] / "docs" / "openapi.json"


async def test_the_description_that_is_kept_is_that_of_the_code() -> None:
    made = await describe()
    assert json.loads(made)["openapi"].startswith("3.1.")
    assert KEPT.read_text(encoding="utf-8") == made, (
        "the API has changed: look whether its callers can bear it, tell it in CHANGELOG.md, and write its "
        "description anew: python -m proctor.api > docs/openapi.json"
    )


async def test_every_operation_is_told_in_a_sentence_and_its_errors_are_problems() -> None:
    for path, operations in json.loads(await describe())["paths"].items():
        if not path.startswith("/api/v1/"):
            continue
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            assert {"4XX", "5XX"} <= operation["responses"].keys(), (method, path)


async def test_no_two_things_are_called_the_same() -> None:
    # Where two are, FastAPI calls them by the modules that they stand in.
    assert [name for name in json.loads(await describe())["components"]["schemas"] if "__" in name] == []
