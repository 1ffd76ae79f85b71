"""A server's resources and prompts, as tools that only read: their names and specifications."""

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from proctor.core import JsonObject, ToolSpec

if TYPE_CHECKING:
    from mcp_types import ServerCapabilities

Reading: TypeAlias = Literal["list_resources", "read_resource", "list_prompts", "get_prompt"]

_LONGEST_NAME = 64
"""What providers of models take as a tool's name."""

_CURSOR: JsonObject = {
    "type": "object",
    "properties": {"cursor": {"type": "string", "description": "Where the last answer said to go on."}},
}
_TEXTS: dict[Reading, tuple[str, JsonObject]] = {
    "list_resources": ("Lists what {server} has to read: addresses, and templates of addresses.", _CURSOR),
    "read_resource": (
        "Reads a resource of {server}.",
        {
            "type": "object",
            "properties": {"uri": {"type": "string", "description": "Its address."}},
            "required": ["uri"],
        },
    ),
    "list_prompts": ("Lists the prompts of {server}, with their arguments.", _CURSOR),
    "get_prompt": (
        "Gives a prompt of {server}.",
        {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "arguments": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "required": ["name"],
        },
    ),
}


def reading_names(server: str) -> dict[str, Reading]:
    """What each of the tools does, by its name."""
    return {_name(server, reading): reading for reading in get_args(Reading)}


def reading_specs(server: str, capabilities: "ServerCapabilities") -> tuple[ToolSpec, ...]:
    """The tools for what the server has."""
    offered = [
        *(("list_resources", "read_resource") if capabilities.resources else ()),
        *(("list_prompts", "get_prompt") if capabilities.prompts else ()),
    ]
    return tuple(
        ToolSpec(
            server=server,
            name=name,
            description=_TEXTS[reading][0].format(server=server),
            parameters=_TEXTS[reading][1],
            effect="read_only",
        )
        for name, reading in reading_names(server).items()
        if reading in offered
    )


def _name(server: str, reading: Reading) -> str:
    return f"{server[: _LONGEST_NAME - 1 - len(reading)]}_{reading}"
