"""A shop of its own for each task, made and looked at in other processes than the one that is measured."""

import json
import signal
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks._replay._data import Form, Task, load_base
from benchmarks._replay._hashes import database_hash
from proctor.core import JsonObject
from proctor.deployments.support.shop import apply_patch, copy_tenant, export_database, read_effects


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopState:
    """A shop's database and its own record of what was done to it."""

    hash: str
    effects: tuple[tuple[str, JsonObject], ...]
    """Every write that was executed, as tool and arguments, in order."""


def auditors(processes: int) -> ProcessPoolExecutor:
    """Processes that make shops and look at them."""
    # Ctrl-C is for the process that started them, which ends them too.
    ignore = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=ignore)


def make_bases(root: Path, forms: frozenset[Form]) -> None:
    """Makes the shops of which all others are copies.

    Raises:
        DataMissing: the data isn't there.
    """
    for form in sorted(forms):
        load_base(root, _base(form), form)


def open_shop(root: Path, tenant: str, task: Task) -> str:
    """The hash of a new shop in the state in which the task begins."""
    copy_tenant(root, _base(task.form), tenant)
    if not task.patch:
        return _base_hash(root, task.form)
    apply_patch(root, tenant, task.patch)
    return database_hash(export_database(root, tenant), task.form)


def look(root: Path, tenant: str, task: Task) -> ShopState:
    """The state in which a shop is."""
    effects = ((effect.tool, json.loads(effect.arguments)) for effect in read_effects(root, tenant))
    return ShopState(hash=database_hash(export_database(root, tenant), task.form), effects=tuple(effects))


def close_shop(root: Path, tenant: str, task: Task) -> ShopState:
    """The state in which a shop was when its files were removed."""
    state = look(root, tenant, task)
    for file in root.glob(f"{tenant}.sqlite*"):
        file.unlink()
    return state


def _base(form: Form) -> str:
    return f"base-{form}"


@lru_cache
def _base_hash(root: Path, form: Form) -> str:
    return database_hash(export_database(root, _base(form)), form)
