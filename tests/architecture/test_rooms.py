"""The building code: who may import whom, how large a module may be, what the public door shows."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import proctor

SOURCE = Path(proctor.__file__).parent
ROOT = SOURCE.parents[1]
MODULES = sorted(SOURCE.rglob("*.py"))


def room(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_the_import_contracts_hold() -> None:
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout


def test_a_room_is_entered_by_its_front() -> None:
    trespasses = [
        (file.name, name)
        for file in MODULES
        for name in imports(file)
        if name.startswith("proctor.")
        and any(part.startswith("_") and not part.startswith("__") for part in name.split(".")[2:-1])
        and name.split(".")[1] != room(file)
    ]
    assert trespasses == []


def test_no_module_has_more_than_600_lines() -> None:
    long = {file.name: lines for file in MODULES if (lines := len(file.read_text().splitlines())) > 600}
    assert long == {}


def test_no_function_has_more_than_80_lines() -> None:
    long = [
        (file.name, node.name)
        for file in MODULES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno
        and node.end_lineno - node.lineno > 80
    ]
    assert long == []


def test_no_name_says_nothing() -> None:
    empty = {"utils", "helpers", "common", "manager", "service", "base"}
    assert [file for file in MODULES if file.stem.strip("_") in empty] == []


def test_the_public_door_shows_these_names() -> None:
    assert sorted(proctor.__all__) == [
        "App",
        "Decision",
        "Event",
        "Proctor",
        "ProctorError",
        "Run",
        "Settings",
        "TeamContext",
        "Token",
        "load_settings",
        "open",
    ]
    assert all(getattr(proctor, name) is not None for name in proctor.__all__)


def test_the_command_line_starts_without_autogen_or_a_database() -> None:
    heavy = ("autogen_core", "sqlalchemy", "openai", "mcp")
    code = f"import sys, proctor.cli; print([name for name in {heavy} if name in sys.modules])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_broad_except_stands_only_where_a_decision_says_why() -> None:
    page = (ROOT / "docs" / "decisions" / "0008-broad-excepts.md").read_text(encoding="utf-8")
    broad = {
        str(file.relative_to(SOURCE))
        for file in MODULES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"})
    }
    assert broad == set(re.findall(r"`([\w/]+\.py)`", page))
