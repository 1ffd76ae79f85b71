"""One endpoint's connection: plain JSON out, plain JSON in, every failure typed.

Importing this module imports the OpenAI SDK, which takes most of a second: only the first call does it.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    AsyncStream,
    DefaultAsyncHttpxClient,
    Omit,
    RequestOptions,
    Timeout,
)

from proctor.core import (
    InvalidInput,
    JsonObject,
    ModelError,
    ModelNonsense,
    ModelOverloaded,
    ModelRefused,
    ModelUnreachable,
)
from proctor.models._deployments import Endpoint

_CONNECT_SECONDS = 10.0
_WORDS = 300
"""Characters of a provider's message that are passed on."""
_PATH = "/chat/completions"
_PASSING = frozenset((HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS))
"""Refusals that say nothing about the request itself; so does every 5xx."""
_HINTS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "Check the deployment's `api_key` or `api_key_env`.",
    HTTPStatus.FORBIDDEN: "Check what the deployment's API key may do.",
    HTTPStatus.NOT_FOUND: "Check the deployment's `model` and `base_url`.",
    **dict.fromkeys(range(300, 400), "It redirects elsewhere: write the final address into `base_url`."),
}

# The HTTP library is the one that the SDK was built on: `httpx` for older ones, `httpx2` since.
_LIBRARIES = [sys.modules[name] for name in ("httpx", "httpx2") if name in sys.modules]
_LATE: tuple[type[Exception], ...] = (
    TimeoutError,
    APITimeoutError,
    *(library.TimeoutException for library in _LIBRARIES),
)
_BROKEN: tuple[type[Exception], ...] = (
    APIConnectionError,
    *(library.RequestError for library in _LIBRARIES),
)


class ChatClient:
    """Sends chat completions to one endpoint over shared connections, each request once."""

    def __init__(self, endpoint: Endpoint, *, seconds: float) -> None:
        self._endpoint = endpoint
        self._seconds = seconds
        timeout = Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
        # A redirect would take the request to an address that the configuration doesn't name.
        self._http = DefaultAsyncHttpxClient(
            base_url=endpoint.base_url, timeout=timeout, follow_redirects=False
        )
        self._sdk = AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.api_key or "none",
            max_retries=0,
            timeout=timeout,
            http_client=self._http,
        )
        # The SDK reads these two from the environment and would send them to any address.
        self._sdk.organization = None
        self._sdk.project = None
        self._headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": self._sdk.user_agent,
        }
        self._options: RequestOptions = {}
        if endpoint.api_key:
            self._headers["Authorization"] = f"Bearer {endpoint.api_key}"
        else:
            self._options["headers"] = {"Authorization": Omit()}

    async def answer(self, body: JsonObject) -> object:
        """The JSON of a whole completion.

        Raises:
            ModelError: there is none.
        """
        # CPU a call: 0.5 ms so, 0.8 ms by the SDK's `post`, 1.2 ms by its `chat.completions.create`.
        with self._failures_typed():
            content = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
            async with asyncio.timeout(self._seconds):
                response = await self._http.post(_PATH, content=content, headers=self._headers)
            if not response.is_success:
                raise self._refusal(response.status_code, response.headers, response.text)
            return response.json()

    async def stream(self, body: JsonObject, take: Callable[[object], None]) -> None:
        """Hands on the JSON of each chunk as it comes.

        Raises:
            ModelError: the stream doesn't start, breaks off, or can't be read.
        """
        streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}
        with self._failures_typed():
            async with asyncio.timeout(self._seconds):
                chunks = await self._sdk.post(
                    _PATH,
                    cast_to=object,
                    body=streamed,
                    options=self._options,
                    stream=True,
                    stream_cls=AsyncStream[object],
                )
                async with chunks:
                    async for chunk in chunks:
                        take(chunk)

    async def close(self) -> None:
        """Closes the connections."""
        await self._sdk.close()

    @contextmanager
    def _failures_typed(self) -> Iterator[None]:
        # The SDK's errors hold the request, and that the key: none of them is chained.
        address = self._endpoint.base_url
        try:
            yield
        except _LATE:
            raise ModelUnreachable(f"{address} has not answered within {self._seconds:g} s") from None
        except _BROKEN as error:
            cause = self._without_key(str(error.__cause__ or error))
            raise ModelUnreachable(f"{address} can't be reached, or broke off: {cause}") from None
        except APIStatusError as error:
            answer = error.response
            raise self._refusal(answer.status_code, answer.headers, answer.text) from None
        except APIError as error:
            words = self._without_key(error.message)
            raise ModelOverloaded(f"{address} failed while answering: {words}") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ModelNonsense(f"the answer of {address} is no JSON: {error}") from None
        except UnicodeEncodeError:
            raise InvalidInput("the request holds characters that UTF-8 can't carry") from None

    def _refusal(self, status: int, headers: Mapping[str, str], body: str) -> ModelError:
        said, code = _provider_words(body)
        words = f"{self._endpoint.base_url} answered {status}: {self._without_key(said)}"
        passing = status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if passing and code != "insufficient_quota":
            return ModelOverloaded(words, retry_after=_retry_after(headers))
        return ModelRefused(words, hint=_HINTS.get(status, ""))

    def _without_key(self, text: str) -> str:
        # Stripped, because a key that ends in a line break is quoted with that escaped.
        key = (self._endpoint.api_key or "").strip()
        return (text.replace(key, "***") if key else text)[:_WORDS]


def _provider_words(body: str) -> tuple[str, object]:
    """A refusal's message, or else all of its text, and its code."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    error = said.get("error", said) if isinstance(said, dict) else said
    message, code = (error.get("message"), error.get("code")) if isinstance(error, dict) else (error, None)
    return (message if isinstance(message, str) else body).strip(), code


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a `Retry-After` header asks for; a date counts from the answer's own `Date`."""
    asked = headers.get("retry-after", "").strip()
    try:
        if asked.replace(".", "", 1).isdecimal():
            return float(asked)
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())
