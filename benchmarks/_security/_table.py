"""The table: what each caller gets of each route, and whether all is refused that must be."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2

from benchmarks._security._routes import BARRED, PUBLIC, Operation, elsewhere, operations_of
from benchmarks._security._world import MARKS, OTHER, OWN, Caller, World
from proctor.access import INCLUDES

REFUSED = frozenset({403, 404})
UNKNOWN = 401
STREAM = 0.1
"""Seconds of a stream that are read."""
PATIENCE = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a caller gets."""

    status: int
    text: str


@dataclass(slots=True, kw_only=True)
class Table:
    """What was found."""

    routes: int = 0
    requests: int = 0
    must_refuse: int = 0
    refused: int = 0
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    """For each route: for each caller, as `viewer of acme`, the status."""
    complaints: list[str] = field(default_factory=list)


async def walk(world: World) -> Table:
    """The table of every route."""
    async with httpx2.AsyncClient(base_url=world.address, timeout=PATIENCE) as client:
        walker = Walker(world, client)
        openapi = (await client.get("/api/v1/openapi.json", headers=walker.admin.headers)).json()
        operations = operations_of(openapi)
        walker.table.routes = len(operations)
        for operation in operations:
            await walker.route(operation)
        await walker.named_elsewhere(operations)
    return walker.table


class Walker:
    """Calls routes as everybody, and notes what they get."""

    def __init__(self, world: World, client: httpx2.AsyncClient) -> None:
        self._world = world
        self._client = client
        self.table = Table()
        self.admin = next(each for each in world.callers if each.role == "admin" and each.tenant is None)

    async def route(self, operation: Operation) -> None:
        """Calls a route as everybody: those who must be refused first, since the others may change things."""
        if operation.needs is None:
            if (operation.method, operation.path) not in PUBLIC:
                self._complain(operation.name, "strangers may call it, and nobody has decided so")
            return
        if unknown := operation.unknown():
            self._complain(
                operation.name, f"say how to make {', '.join(unknown)}: benchmarks/_security/_routes.py"
            )
            return
        own, other = [await operation.fill(self._world, tenant) for tenant in (OWN, OTHER)]
        for caller in self._world.callers:
            if not _may(caller, operation):
                await self._must_refuse(operation, caller, own)
            if operation.of_tenant and (caller.tenant is not None or not _may(caller, operation)):
                await self._must_refuse(operation, caller, other, " of another's")
        for caller in self._world.callers:
            if _may(caller, operation):
                path = own if operation.reads else await operation.fill(self._world, OWN)
                await self._must_reach(operation, caller, path)

    async def named_elsewhere(self, operations: Sequence[Operation]) -> None:
        """Names another tenant's things in queries, bodies and headers, as a tenant's admin."""
        caller = next(each for each in self._world.callers if each.role == "admin" and each.tenant == OWN)
        served = {(operation.method, operation.path) for operation in operations}
        for method, path, how, sent in await elsewhere(self._world):
            if (method, path) not in served:
                continue
            answer = await self._ask(method, path, caller, sent)
            name = f"{method} {path} that names another's {how}"
            self._note(name, caller, answer, refused=answer.status in REFUSED)
        for operation in operations:
            if "tenant" in operation.queries and operation.needs is not None:
                path = await operation.fill(self._world, OTHER)
                sent = {**operation.asked, "params": {**operation.asked.get("params", {}), "tenant": OTHER}}
                answer = await self._ask(operation.method, path, caller, sent)
                name = f"{operation.name}?tenant={OTHER}"
                self._note(name, caller, answer, refused=answer.status in REFUSED)

    async def _must_refuse(self, operation: Operation, caller: Caller, path: str, of: str = "") -> None:
        answer = await self._ask(operation.method, path, caller, operation.asked)
        expected = {UNKNOWN} if caller.role is None else REFUSED
        self._note(operation.name, caller, answer, refused=answer.status in expected, of=of)

    async def _must_reach(self, operation: Operation, caller: Caller, path: str) -> None:
        answer = await self._ask(operation.method, path, caller, operation.asked)
        self.table.rows.setdefault(operation.name, {})[_column(caller)] = answer.status
        if answer.status >= 500:
            self._complain(
                operation.name, f"{_column(caller)} breaks it: {answer.status} {answer.text[:200]}"
            )
        barred = (operation.method, operation.path) in BARRED
        if answer.status == UNKNOWN or (operation.of_tenant and answer.status in REFUSED and not barred):
            self._complain(
                operation.name,
                f"{_column(caller)} doesn't get through: {answer.status} {answer.text[:200]}",
            )
        if caller.tenant is not None and (leak := self._leak(answer)):
            self._complain(operation.name, f"{_column(caller)} is told {leak}")

    def _note(self, name: str, caller: Caller, answer: Answer, *, refused: bool, of: str = "") -> None:
        self.table.must_refuse += 1
        self.table.refused += refused
        column = f"{_column(caller)}{of}"
        self.table.rows.setdefault(name, {})[column] = answer.status
        if not refused:
            self._complain(name, f"{column} isn't refused: {answer.status} {answer.text[:200]}")
        elif MARKS[OTHER] in answer.text:  # ids that the caller gave may stand in a refusal
            self._complain(name, f"{column} is told what the other tenant wrote")

    def _leak(self, answer: Answer) -> str:
        return next((secret for secret in self._world.secrets if secret in answer.text), "")

    async def _ask(self, method: str, path: str, caller: Caller, sent: Mapping[str, Any]) -> Answer:
        self.table.requests += 1
        headers = {**sent.get("headers", {}), **caller.headers}
        more = {name: value for name, value in sent.items() if name != "headers"}
        async with self._client.stream(method, path, headers=headers, **more) as answer:
            if "text/event-stream" not in answer.headers.get("content-type", ""):
                return Answer(status=answer.status_code, text=(await answer.aread()).decode())
            told = ""
            with suppress(TimeoutError):
                async with asyncio.timeout(STREAM):
                    async for piece in answer.aiter_text():
                        told += piece
            return Answer(status=answer.status_code, text=told)

    def _complain(self, name: str, what: str) -> None:
        self.table.complaints.append(f"{name}: {what}")


def _may(caller: Caller, operation: Operation) -> bool:
    return (
        caller.role is not None and operation.needs is not None and operation.needs in INCLUDES[caller.role]
    )


def _column(caller: Caller) -> str:
    if caller.role is None:
        return caller.name
    return f"{caller.name} of {caller.tenant or 'the platform'}"


def lines_of(table: Table) -> Iterator[tuple[str, str]]:
    """Each route, with who gets what: callers with the same status together."""
    for name, cells in table.rows.items():
        by_status: dict[int, list[str]] = {}
        for column, status in cells.items():
            by_status.setdefault(status, []).append(column)
        told = "; ".join(f"{status}: {', '.join(columns)}" for status, columns in sorted(by_status.items()))
        yield name, told
