"""What a server has to read: requests for its resources and prompts, and the answers as results."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Literal

from mcp.client import Client
from mcp_types import (
    GetPromptRequest,
    GetPromptRequestParams,
    GetPromptResult,
    Prompt,
    ReadResourceRequest,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
)

from proctor.core import JsonObject, JsonValue, ToolResult, canonical_json
from proctor.tools._results import text_of_block, text_of_resource
from proctor.tools._text import clean_json

ENOUGH = 200
"""Entries after which a list is given out with a cursor for the rest."""

PAGES = 20
"""Pages that are asked for at once, however few entries they hold."""


def read_request(arguments: JsonObject, further: dict[str, Any]) -> ReadResourceRequest:
    """The request for a resource."""
    return ReadResourceRequest(params=ReadResourceRequestParams(uri=str(arguments.get("uri")), **further))


def prompt_request(arguments: JsonObject, further: dict[str, Any]) -> GetPromptRequest:
    """The request for a prompt."""
    given = arguments.get("arguments")
    values = {str(name): str(value) for name, value in given.items()} if isinstance(given, Mapping) else None
    params = GetPromptRequestParams(name=str(arguments.get("name")), arguments=values, **further)
    return GetPromptRequest(params=params)


def resource_result(answer: ReadResourceResult) -> ToolResult:
    """The resource's texts; where it has bytes, references to them."""
    return ToolResult(text="\n".join(map(text_of_resource, answer.contents)))


def prompt_result(answer: GetPromptResult) -> ToolResult:
    """The prompt's messages, each behind who says it."""
    text = "\n\n".join(f"{said.role}: {text_of_block(said.content)}" for said in answer.messages)
    return ToolResult(text=text)


async def list_entries(
    client: Client, reading: Literal["list_resources", "list_prompts"], arguments: JsonObject
) -> ToolResult:
    """A list, one entry a line, as JSON."""
    cursor = arguments.get("cursor")
    start = cursor if isinstance(cursor, str) and cursor else None
    if reading == "list_prompts":
        prompts, rest = await _gather(lambda at: _prompts(client, at), start)
        return _listed(map(_prompt, prompts), rest)
    resources, rest = await _gather(lambda at: _resources(client, at), start)
    entries = list(map(_resource, resources))
    if start is None:
        templates, _ = await _gather(lambda at: _templates(client, at), None)
        entries += map(_template, templates)
    return _listed(entries, rest)


async def _gather(
    page: Callable[[str | None], Awaitable[tuple[list[Any], str | None]]], cursor: str | None
) -> tuple[list[Any], str | None]:
    found: list[Any] = []
    for _ in range(PAGES):
        entries, cursor = await page(cursor)
        found += entries
        if cursor is None or not entries or len(found) >= ENOUGH:
            break
    return found, cursor


async def _resources(client: Client, cursor: str | None) -> tuple[list[Resource], str | None]:
    page = await client.list_resources(cursor=cursor)
    return page.resources, page.next_cursor


async def _templates(client: Client, cursor: str | None) -> tuple[list[ResourceTemplate], str | None]:
    page = await client.list_resource_templates(cursor=cursor)
    return page.resource_templates, page.next_cursor


async def _prompts(client: Client, cursor: str | None) -> tuple[list[Prompt], str | None]:
    page = await client.list_prompts(cursor=cursor)
    return page.prompts, page.next_cursor


def _listed(entries: Iterable[JsonObject], rest: str | None) -> ToolResult:
    lines = [canonical_json(clean_json(entry)) for entry in entries]
    if rest is not None:
        lines.append(canonical_json({"more": "call again with this cursor", "cursor": rest}))
    return ToolResult(text="\n".join(lines) or "There is nothing.")


def _resource(entry: Resource) -> JsonObject:
    return _told(
        uri=str(entry.uri),
        name=entry.name,
        description=entry.description,
        type=entry.mime_type,
        bytes=entry.size,
    )


def _template(entry: ResourceTemplate) -> JsonObject:
    return _told(
        template=entry.uri_template, name=entry.name, description=entry.description, type=entry.mime_type
    )


def _prompt(entry: Prompt) -> JsonObject:
    arguments = [
        _told(name=one.name, description=one.description, required=one.required)
        for one in entry.arguments or ()
    ]
    return _told(name=entry.name, description=entry.description, arguments=arguments or None)


def _told(**values: JsonValue) -> JsonObject:
    return {name: value for name, value in values.items() if value is not None}
