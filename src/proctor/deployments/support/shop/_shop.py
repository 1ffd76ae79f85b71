"""The shop itself: tools called by name on a tenant's database, each write executed once a key."""

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Literal

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from proctor.deployments.support.shop import _sql
from proctor.deployments.support.shop._errors import InvalidKey, KeyReused, StoreBusy, UnknownTool
from proctor.deployments.support.shop._tenants import existing_path
from proctor.deployments.support.shop._tools import TOOLS, Tool
from proctor.deployments.support.shop._values import Effect

KeyHandling = Literal["honoured", "ignored"]

_LONGEST_KEY = 200
_OPEN_TENANTS = 64


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Shop:
    """A folder of tenants, each a shop of its own. Its calls block, and may come from many threads."""

    def __init__(
        self, root: Path, *, keys: KeyHandling = "honoured", now: Callable[[], datetime] = _utc_now
    ) -> None:
        self.keys = keys
        """Whether a repeated idempotency key is answered from the record, or not looked at."""
        self._root = root
        self._now = now
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._lock = Lock()

    def call(
        self,
        name: str,
        arguments: Mapping[str, object],
        *,
        tenant: str = "default",
        idempotency_key: str | None = None,
    ) -> str:
        """The tool's answer as text: JSON for a document, a plain text otherwise.

        A write's change and its effect are one transaction. Its key, used again with the same arguments,
        gives the recorded answer and changes nothing.

        Raises:
            ShopError: What the shop can't or won't do; nothing was changed.
        """
        tool = TOOLS.get(name)
        if tool is None:
            raise UnknownTool(name)
        checked = tool.check(arguments)
        if tool.effect == "reads":
            with self._transaction(tenant, writing=False) as connection:
                return tool.run(connection, checked)
        key = idempotency_key if self.keys == "honoured" else None
        if key is not None and not 0 < len(key) <= _LONGEST_KEY:
            raise InvalidKey
        with self._transaction(tenant, writing=True) as connection:
            return self._write(connection, tool, checked, key)

    def close(self) -> None:
        """Close every database."""
        with self._lock:
            for engine in self._engines.values():
                _sql.close_engine(engine)
            self._engines.clear()

    def _write(
        self, connection: Connection, tool: Tool, arguments: Mapping[str, object], key: str | None
    ) -> str:
        canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if key is not None:
            recorded = _sql.find_effect(connection, key)
            if recorded is not None and (recorded.tool, recorded.arguments) == (tool.name, canonical):
                return recorded.result
            if recorded is not None:
                raise KeyReused(key, recorded.tool)
        result = tool.run(connection, arguments)
        effect = Effect(
            seq=0, idempotency_key=key, tool=tool.name, arguments=canonical, result=result, at=self._now()
        )
        _sql.add_effect(connection, effect)
        return result

    @contextmanager
    def _transaction(self, tenant: str, *, writing: bool) -> Iterator[Connection]:
        with self._engine(tenant).connect().execution_options(writing=writing) as connection:
            try:
                transaction = connection.begin()
            except OperationalError as error:
                raise StoreBusy(tenant) from error
            with transaction:
                yield connection

    def _engine(self, tenant: str) -> Engine:
        path = existing_path(self._root, tenant)
        with self._lock:
            engine = self._engines.pop(tenant, None) or _sql.open_engine(path)
            self._engines[tenant] = engine
            if len(self._engines) > _OPEN_TENANTS:
                _, oldest = self._engines.popitem(last=False)
                _sql.close_engine(oldest)  # calls under way keep their connections
        return engine
