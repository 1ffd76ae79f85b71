"""A server's answer as a result: text for the model, and never the bytes of an image."""

import base64
import hashlib
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import assert_never

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from proctor.core import ToolResult, canonical_json


def read_result(answer: CallToolResult) -> ToolResult:
    """The answer with its texts joined; where it has none, its structured content as JSON.

    Raises:
        ValueError: there is no text, and a number in the content that JSON can't say.
    """
    structured = answer.structured_content
    text = "\n".join(text_of_block(block) for block in answer.content)
    if not text and structured is not None:
        text = canonical_json(structured)
    return ToolResult(
        text=text,
        is_error=bool(answer.is_error),
        structured=structured if isinstance(structured, Mapping) else None,
    )


def text_of_block(block: ContentBlock) -> str:
    """A part of an answer as text, with a reference in place of bytes."""
    match block:
        case TextContent():
            return block.text
        case ImageContent():
            return _reference("image", block.mime_type, block.data)
        case AudioContent():
            return _reference("audio", block.mime_type, block.data)
        case ResourceLink():
            return f"[resource {block.uri}{f', {block.mime_type}' if block.mime_type else ''}]"
        case EmbeddedResource():
            return text_of_resource(block.resource)
        case _:
            assert_never(block)


def text_of_resource(resource: TextResourceContents | BlobResourceContents) -> str:
    """A resource's text; where it has bytes, a reference to them."""
    if isinstance(resource, TextResourceContents):
        return resource.text
    return _reference(f"resource {resource.uri}", resource.mime_type or "binary", resource.blob)


def _reference(kind: str, mime_type: str, data: str) -> str:
    try:
        content = base64.b64decode(data)
    except NotBase64:
        return f"[{kind} {mime_type}, unreadable: not base64]"
    return f"[{kind} {mime_type}, {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()}]"
