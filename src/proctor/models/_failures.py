"""What can go wrong between us and an endpoint, as our own errors, without the key."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from proctor.core import (
    InvalidInput,
    ModelError,
    ModelNonsense,
    ModelOverloaded,
    ModelRefused,
    ModelUnreachable,
)
from proctor.models._deployments import Endpoint

_WORDS = 300
"""Characters of a provider's message that are passed on."""
_PASSING = frozenset((HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS))
"""Refusals that say nothing about the request itself; so does every 5xx."""
_HINTS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "Check the deployment's `api_key` or `api_key_env`.",
    HTTPStatus.FORBIDDEN: "Check what the deployment's API key may do.",
    HTTPStatus.NOT_FOUND: "Check the deployment's `model` and `base_url`.",
    **dict.fromkeys(range(300, 400), "It redirects elsewhere: write the final address into `base_url`."),
}
_BEFORE_SENDING = ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "LocalProtocolError")
"""What the HTTP library calls failures after which no provider has seen the whole request."""


class Failures:
    """Types the failures of one endpoint. It is made after the endpoint's SDK has been imported."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._address = endpoint.base_url
        # Stripped, because a key that ends in a line break is quoted with that escaped.
        self._key = (endpoint.api_key or "").strip()
        # The HTTP library is the one that the SDK was built on: `httpx` for older ones, `httpx2` since.
        libraries = [sys.modules[name] for name in ("httpx", "httpx2") if name in sys.modules]
        self._late = (TimeoutError, *(library.TimeoutException for library in libraries))
        self._broken = tuple(library.RequestError for library in libraries)
        self._unsent = tuple(getattr(library, name) for library in libraries for name in _BEFORE_SENDING)

    @contextmanager
    def typed(self, seconds: float) -> Iterator[None]:
        """Raises one of our errors in place of the HTTP library's. None is chained: they hold the key.

        Raises:
            ModelError: there is no answer within the time, or none that is JSON.
            InvalidInput: the request can't be written down.
        """
        try:
            yield
        except (*self._late, *self._broken) as error:
            raise self.lost(error, seconds) from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ModelNonsense(f"the answer of {self._address} is no JSON: {error}") from None
        except UnicodeEncodeError:
            raise InvalidInput("the request holds characters that UTF-8 can't carry") from None

    def lost(self, error: BaseException, seconds: float) -> ModelError:
        """The connection was not made, was lost, or stayed silent for too long."""
        produced = not isinstance(error, self._unsent)
        if isinstance(error, self._late):
            return ModelUnreachable(
                f"{self._address} has not answered within {seconds:g} s", produced=produced
            )
        cause = self._without_key(str(error.__cause__ or error))
        return ModelUnreachable(f"{self._address} can't be reached, or broke off: {cause}", produced=produced)

    def refusal(self, status: int, headers: Mapping[str, str], body: str) -> ModelError:
        """The provider answered with a status that says no."""
        said, code = _provider_words(body)
        words = f"{self._address} answered {status}: {self._without_key(said)}"
        passing = status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if passing and code != "insufficient_quota":
            return ModelOverloaded(words, retry_after=_retry_after(headers))
        return ModelRefused(words, hint=_HINTS.get(status, ""))

    def while_answering(self, said: str) -> ModelError:
        """The provider gave up in the middle of a stream, with words or the JSON of an error."""
        words = self._without_key(_provider_words(said)[0])
        return ModelOverloaded(f"{self._address} failed while answering: {words}", produced=True)

    def _without_key(self, text: str) -> str:
        return (text.replace(self._key, "***") if self._key else text)[:_WORDS]


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
