"""Every route of the server, from its own OpenAPI, with what it takes to call it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks._security._world import OTHER, Maker, World
from proctor.access import Role

METHODS = ("get", "put", "post", "patch", "delete")

PUBLIC = {
    ("GET", "/api/v1/health"),
    ("GET", "/api/v1/ready"),
    ("POST", "/api/v1/setup"),
    ("GET", "/api/v1/session/sign-in"),
    ("GET", "/api/v1/session/callback"),
}
"""What strangers may call: another one is a decision, and stands here."""

BESIDE: Mapping[tuple[str, str], Role] = {("GET", "/metrics"): "viewer", ("POST", "/mcp"): "viewer"}
"""What is served without standing in the OpenAPI."""

BARRED = {("DELETE", "/v1/responses/{id}")}
"""What nobody may do, whatever their role: the route is there to say so."""

PLATFORM = {"keys", "budgets", "degradation", "alerts", "audit", "policies"}
"""Tags of what belongs to no tenant."""

TENANTED: Mapping[str, Maker] = {
    "runs/{id}": World.run,
    "threads/{id}": World.thread,
    "approvals/{id}": World.approval,
    "standing-approvals/{id}": World.standing,
    "responses/{id}": World.response,
}
"""Places in paths that name a tenant's thing, and how one is made."""


async def _desk(_world: World, _tenant: str) -> str:
    return "desk"


async def _nothing(_world: World, _tenant: str) -> str:
    return "nothing"


def _id(prefix: str) -> Maker:
    async def made(_world: World, _tenant: str) -> str:
        return f"{prefix}_{'0' * 26}"

    return made


SHARED: Mapping[str, Maker] = {
    "keys/{key_id}": World.key,
    "budgets/{name}": World.budget,
    "teams/{name}": _desk,
    "models/{name}": _desk,
    "tools/{server}": _nothing,
    "{server}/{tool}": _nothing,
    "knowledge/{collection}": World.collection,
    "alerts/{id}": _id("alr"),
    "silences/{id}": _id("sil"),
}
"""Places that name what belongs to no tenant, or to whichever tenant asks."""

_DECISION = {"kind": "approve"}
_MCP = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}

BODIES: Mapping[tuple[str, str], Any] = {
    ("POST", "/api/v1/keys"): {"name": "taken", "roles": ["viewer"]},
    ("POST", "/api/v1/keys/{key_id}/rotate"): {},
    ("POST", "/api/v1/revocations"): {"person": "ann@example.org"},
    ("POST", "/api/v1/approvals/{id}/decision"): _DECISION,
    ("POST", "/api/v1/approvals/{id}/delegation"): {"to": "ann@example.org"},
    ("PUT", "/api/v1/budgets/{name}"): {"limit_micros": 1, "scope": "global", "period": "day"},
    ("POST", "/api/v1/policies/check"): {"text": "hello", "stage": "input"},
    ("POST", "/api/v1/policies/explain"): {"text": "hello", "stage": "input"},
    ("POST", "/api/v1/knowledge/{collection}/documents"): {"name": "a", "text": "hello"},
    ("POST", "/api/v1/knowledge/{collection}/search"): {"query": "hello"},
    ("PUT", "/api/v1/degradation/hold"): {"level": 0},
    ("POST", "/api/v1/runs"): {"team": "desk", "task": "hello"},
    ("POST", "/api/v1/threads"): {"team": "desk"},
    ("POST", "/api/v1/threads/{id}/messages"): {"task": "hello"},
    ("POST", "/v1/chat/completions"): {"model": "desk", "messages": [{"role": "user", "content": "hello"}]},
    ("POST", "/v1/responses"): {"model": "desk", "input": "hello"},
    ("POST", "/mcp"): _MCP,
}
"""A body that a route takes. Where there is none, an empty object is sent."""

QUERIES: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("DELETE", "/api/v1/knowledge/{collection}/documents"): {"name": "a"},
    ("GET", "/api/v1/events/stream"): {"team": "desk"},
}

_MCP_HEADERS = {"accept": "application/json, text/event-stream"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route with one method."""

    method: str
    path: str
    needs: Role | None
    """Nothing: strangers may call it."""
    tags: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    """In its path, with what stands before each."""
    queries: frozenset[str] = field(default=frozenset())

    @property
    def name(self) -> str:
        """How it is called."""
        return f"{self.method} {self.path}"

    @property
    def of_tenant(self) -> bool:
        """Whether its path names a tenant's thing."""
        return any(place in TENANTED for place in self.places)

    @property
    def of_platform(self) -> bool:
        """Whether it is about what belongs to no tenant."""
        return self.path == "/metrics" or bool(PLATFORM & set(self.tags))

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.method == "GET"

    def unknown(self) -> list[str]:
        """Places of which nobody has said how to fill them."""
        return [place for place in self.places if place not in TENANTED and place not in SHARED]

    async def fill(self, world: World, tenant: str) -> str:
        """Its path, about things of a tenant."""
        path = self.path
        for place in self.places:
            maker = TENANTED.get(place) or SHARED[place]
            path = path.replace(place.rpartition("/")[2], await maker(world, tenant), 1)
        return path

    @property
    def asked(self) -> dict[str, Any]:
        """What is sent beside the path."""
        key = (self.method, self.path)
        headers = {"If-Match": '"x"'} if self.method in ("PUT", "DELETE", "POST") else {}
        sent: dict[str, Any] = {"headers": headers | (_MCP_HEADERS if self.path == "/mcp" else {})}
        if key in QUERIES:
            sent["params"] = QUERIES[key]
        if self.method in ("PUT", "POST", "PATCH"):
            sent["json"] = BODIES.get(key, {})
        return sent


def operations_of(openapi: Mapping[str, Any]) -> tuple[Operation, ...]:
    """All that is served."""
    return (*_documented(openapi), *(_beside(*key, role) for key, role in BESIDE.items()))


def _beside(method: str, path: str, role: Role) -> Operation:
    return Operation(method=method, path=path, needs=role)


def _documented(openapi: Mapping[str, Any]) -> Iterator[Operation]:
    for path, methods in openapi["paths"].items():
        for method in METHODS:
            if method in methods:
                told = methods[method]
                yield Operation(
                    method=method.upper(),
                    path=path,
                    needs=_needed(told.get("security", [])),
                    tags=tuple(told.get("tags", ())),
                    places=tuple(_places(path)),
                    queries=frozenset(
                        each["name"] for each in told.get("parameters", ()) if each["in"] == "query"
                    ),
                )


def _needed(security: list[dict[str, list[Role]]]) -> Role | None:
    roles = {role for one in security for scopes in one.values() for role in scopes}
    if len(roles) > 1:
        raise ValueError(f"a route that takes several roles: {roles}")
    return next(iter(roles), None)


def _places(path: str) -> Iterator[str]:
    before = ""
    for part in path.split("/"):
        if part.startswith("{"):
            yield f"{before}/{part}"
        before = part


async def elsewhere(world: World) -> tuple[tuple[str, str, str, dict[str, Any]], ...]:
    """Requests of a tenant that name another tenant's things beside the path: method, path, how, what."""
    run, thread, response = [await make(world, OTHER) for make in (World.run, World.thread, World.response)]
    hello = {"team": "desk", "task": "hello"}
    chat = {"model": "desk", "messages": [{"role": "user", "content": "hello"}]}
    of_thread = {"headers": {"x-proctor-thread": thread}}
    answer = {"model": "desk", "input": "hello"}
    return (
        ("POST", "/api/v1/runs", "thread", {"json": {**hello, "thread": thread}}),
        ("POST", "/api/v1/runs", "tenant", {"json": {**hello, "tenant": OTHER}}),
        ("POST", "/api/v1/threads", "tenant", {"json": {"team": "desk", "tenant": OTHER}}),
        ("GET", "/api/v1/events/stream", "run", {"params": {"run": run}}),
        ("POST", "/v1/chat/completions", "thread", {"json": chat, **of_thread}),
        ("POST", "/v1/chat/completions", "run", {"json": {**chat, "metadata": {"run": run}}}),
        ("POST", "/v1/responses", "response", {"json": {**answer, "previous_response_id": response}}),
        ("POST", "/v1/responses", "thread", {"json": answer, **of_thread}),
    )
