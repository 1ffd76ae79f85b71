"""One call that a server works on: its answer, and what the server sends and asks for meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Never, TypeVar, assert_never, cast

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_REQUEST,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
    InputRequests,
    InputResponse,
    InputResponses,
    ListRootsRequest,
    LoggingMessageNotificationParams,
)

from proctor.core import (
    EventType,
    JsonObject,
    JsonValue,
    ModelError,
    Question,
    SamplingSettings,
    ToolCall,
    ToolResult,
    canonical_json,
    end_tasks,
)
from proctor.tools._asks import Asks
from proctor.tools._elicitation import answer_of, question_of, with_end
from proctor.tools._sampling import messages_of, options_of, sampled
from proctor.tools._text import clean_json, cut, printable

T = TypeVar("T")

MANY = 20
"""Events of each kind that one call adds to its run's log; a server may send any number."""

MANY_ASKED = 10
"""Questions of each kind that one call may ask."""

_LINE = 500
"""Characters of a text of the server's in the log."""

_END = 5.0
"""Seconds that a request which nobody waits for any more has to end."""

_ENOUGH = "this call has asked a model often enough"

_Request = tuple[CreateMessageRequestParams, "asyncio.Future[CreateMessageResult | ErrorData]"]


class Exchange:
    """What passes between a server and the run whose call it works on."""

    def __init__(self, call: ToolCall, asks: Asks | None, sampling: SamplingSettings | None) -> None:
        self.call = call
        self.disturbed = False
        """Whether the server asked for something and it couldn't be told for which call."""
        self._asks = asks
        self._sampling = sampling
        self.open: list[Question] = []
        """What a person has to answer before the call can be made."""
        self._seen: Counter[str] = Counter()
        self._samples = 0
        self._sent: Counter[EventType] = Counter()
        self._wanted: asyncio.Queue[_Request | None] = asyncio.Queue()
        self._over = False

    # What the server sends.

    async def progressed(self, progress: float, total: float | None, message: str | None) -> None:
        """Logs how far the call has come."""
        said = None if message is None else _line(message)
        self._event("tool.progress", {"progress": progress, "total": total, "message": said})

    def logged(self, params: LoggingMessageNotificationParams) -> None:
        """Logs a line of the server's own log."""
        text = params.data if isinstance(params.data, str) else canonical_json(clean_json(params.data))
        line = _line(f"{params.logger}: {text}" if params.logger else text)
        self._event("tool.logged", {"level": params.level, "text": line})

    def _event(self, kind: EventType, data: dict[str, JsonValue]) -> None:
        if self._over or self._sent[kind] >= MANY:
            return
        self._sent[kind] += 1
        tool = self.call.tool
        about: dict[str, JsonValue] = {"server": tool.server}
        if kind == "tool.progress":
            about["tool"] = tool.name
        self.call.scope.event(kind, cast("JsonObject", clean_json(about | data)))

    # What the server asks for.

    async def elicited(self, params: ElicitRequestParams) -> ElicitResult:
        """A person's answer; `cancel` where there is none yet, and the call is made again when there is."""
        if self._asks is None or self._over:
            return ElicitResult(action="decline")
        wanted = params.model_dump_json(include={"mode", "message", "requested_schema", "url"})
        self._seen[wanted] += 1
        if self._seen.total() > MANY_ASKED:
            return ElicitResult(action="decline")
        question = question_of(self.call, params, self._seen[wanted], self._asks.terms(self.call))
        if question is None:
            return ElicitResult(action="decline")
        if self.call.scope.is_decided("elicit", question.action):
            return answer_of(question, await self.call.scope.decision(question))
        self.open.append(question)
        return ElicitResult(action="cancel")

    async def ask(self, said: str) -> Never:
        """Asks a person what the server wants to know first. The run waits for that: this never returns.

        `said` is how the call has ended meanwhile.
        """
        await self.call.scope.decision(with_end(self.open[0], said))
        raise AssertionError(
            "what wasn't decided when the server asked is decided in no attempt but the next"
        )

    async def responses(self, requests: InputRequests) -> InputResponses:
        """Answers to all that the server asks for in place of a result.

        Raises:
            MCPError: it asks for something that nobody gives it.
        """
        given: InputResponses = {}
        for key, request in requests.items():
            match request:
                case ElicitRequest():
                    answer: InputResponse | ErrorData = await self.elicited(request.params)
                case CreateMessageRequest():
                    answer = await self.sampled(request.params)
                case ListRootsRequest():
                    answer = _refused("no folders are offered to this server")
                case _:
                    assert_never(request)
            if isinstance(answer, ErrorData):
                raise MCPError.from_error_data(answer)
            given[key] = answer
        return given

    async def sample(self, params: CreateMessageRequestParams) -> CreateMessageResult | ErrorData:
        """A model's answer, asked for by the task that makes the call: to be awaited by that one alone."""
        if self._sampling is None or self._asks is None or params.tools:  # it isn't told that we take tools
            return _refused("sampling is not offered to this server")
        self._samples += 1
        if self._samples > MANY_ASKED:
            return _refused(_ENOUGH)
        try:
            result = await self._asks.sample(
                self.call,
                model=self._sampling.model,
                messages=messages_of(params),
                options=options_of(params, self._sampling),
            )
        except ModelError as error:
            return _refused(f"the model gave no answer ({error.code})")
        return sampled(result)

    async def sampled(self, params: CreateMessageRequestParams) -> CreateMessageResult | ErrorData:
        """A model's answer, for a request that comes while the call is under way."""
        if self._over or self._sampling is None:
            return _refused("sampling is not offered to this server")
        if self._wanted.qsize() >= MANY_ASKED:
            return _refused(_ENOUGH)
        answer: asyncio.Future[CreateMessageResult | ErrorData] = asyncio.get_running_loop().create_future()
        self._wanted.put_nowait((params, answer))
        return await answer

    async def carry(self, sending: Coroutine[Any, Any, T]) -> T:
        """What the server answers; meanwhile its requests to a model are carried out, one after the other.

        Here, and not where they arrive: they are calls of the run, and end where the call does.
        """
        task = asyncio.create_task(sending)
        task.add_done_callback(lambda _: self._wanted.put_nowait(None))
        answer: asyncio.Future[CreateMessageResult | ErrorData] | None = None
        try:
            while (request := await self._wanted.get()) is not None:
                params, answer = request
                answer.set_result(await self.sample(params))
            return await task
        finally:
            self._over = True
            await end_tasks({task}, within=_END)
            left = [] if answer is None else [answer]
            while not self._wanted.empty():
                if (request := self._wanted.get_nowait()) is not None:
                    left.append(request[1])
            for each in left:
                if not each.done():
                    each.set_result(_refused("the call is over"))

    def close(self) -> None:
        """Takes nothing of the server's any more."""
        self._over = True


def told_of_disturbance(result: ToolResult) -> ToolResult:
    """The answer, with why it may not be what was asked for."""
    note = (
        "[The server asked for something while several of its calls were under way, and was told that nobody "
        "answers. If this answer is about that, make the call again: it will be the only one.]"
    )
    return replace(result, text=f"{result.text}\n{note}")


def _line(text: str) -> str:
    return " ".join(printable(cut(text, _LINE)).split())


def _refused(why: str) -> ErrorData:
    return ErrorData(code=INVALID_REQUEST, message=why)
