"""One execution of one team: built afresh, driven to its end, or killed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, TypeAlias, TypeVar, overload

from autogen_agentchat.base import ChatAgent, TaskResult, Team
from autogen_agentchat.messages import BaseChatMessage, HandoffMessage, ToolCallExecutionEvent
from autogen_core.models import ModelInfo
from pydantic import BaseModel

from proctor.agents._adopt import Roles, adopt
from proctor.agents._batch import Merged
from proctor.agents._extract import extract
from proctor.agents._human import DurableHuman
from proctor.agents._memory import Knowledge, Losses, Memory
from proctor.agents._model import GovernedModelClient
from proctor.agents._runtime import PATIENCE, KillableRuntime
from proctor.agents._session import Session
from proctor.agents._workbench import GovernedWorkbench
from proctor.core import JsonObject, NotFound, TeamError, TeamSettings, ToolSpec, end_tasks
from proctor.models.router import AUTO, no_tiers

A = TypeVar("A", bound=str | BaseModel)
S = TypeVar("S", bound=BaseModel)

LONGEST_ROLE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFeatures:
    """What a deployment can do, as far as AutoGen wants to know."""

    vision: bool
    function_calling: bool
    structured_output: bool
    context_window: int


class TeamContext:
    """What a factory builds its team from: models, tools and people of this run."""

    def __init__(
        self,
        session: Session,
        *,
        task: str,
        models: Mapping[str, ModelFeatures],
        tools: Mapping[str, Sequence[ToolSpec]],
    ) -> None:
        self._session = session
        self._models = models
        self._tools = tools
        self.task = task
        """The text that the run was started with."""
        self.stand_ins: dict[ChatAgent, ChatAgent] = {}
        """Agents, each with the one that `stand_in` gave it."""
        self.humans: set[str] = set()
        """The persons for whom `human` made agents."""

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._session.run_id

    @property
    def tenant(self) -> str:
        """Whose run it is."""
        return self._session.tenant

    def model(self, name: str, **options: Any) -> GovernedModelClient:
        """A client for a deployment of the configuration; `options` go into each request (`temperature=0`).

        Raises:
            NotFound: the configuration has no such deployment.
            MissingSetting: it is `auto`, and no deployment has a tier.
        """
        features = self._features(name)
        info = ModelInfo(
            vision=features.vision,
            function_calling=features.function_calling,
            json_output=True,
            family="unknown",
            structured_output=features.structured_output,
            multiple_system_messages=True,
        )
        return GovernedModelClient(
            self._session, model=name, info=info, context_window=features.context_window, options=options
        )

    @overload
    async def batch(
        self,
        instruction: str,
        items: Sequence[str],
        *,
        model: str,
        size: int = ...,
        agent: str = ...,
        options: JsonObject | None = ...,
    ) -> list[str]: ...

    @overload
    async def batch(
        self,
        instruction: str,
        items: Sequence[str],
        *,
        model: str,
        answer: type[A],
        size: int = ...,
        agent: str = ...,
        options: JsonObject | None = ...,
    ) -> list[A]: ...

    async def batch(
        self,
        instruction: str,
        items: Sequence[str],
        *,
        model: str,
        answer: Any = str,
        size: int = 20,
        agent: str = "",
        options: JsonObject | None = None,
    ) -> list[Any]:
        """An answer to the same small task for each item, in order, with as few model calls as that takes.

        At most `size` items go into one call. What of its answers is missing, comes twice or doesn't parse is
        asked for alone. `answer` is `str` or a pydantic model; `options` go into each request. Called by an
        agent of your own in its turn, it is done in that agent's name; `agent` gives another.

        Raises:
            NotFound: the configuration has no such deployment.
            MissingSetting: it is `auto`, and no deployment has a tier.
            AnswersMissing: some items have no usable answer, although each of them was asked for alone.
        """
        merged = Merged(
            self._session,
            instruction,
            model=model,
            answer=answer,
            size=size,
            characters=self._features(model).context_window // 2,  # at a token a character, as in Chinese
            agent=agent,
            options=options or {},
        )
        return await merged.answers(items)

    async def extract(
        self,
        text: str,
        schema: type[S],
        *,
        model: str,
        instruction: str = "",
        agent: str = "",
        options: JsonObject | None = None,
    ) -> S:
        """What a text that nobody vouches for says, read by a model without tools into a pydantic value.

        A text that the run hasn't seen counts as untrusted. The value's strings keep the text's label, also
        those that the schema limits to a few. Its numbers and truth values can't carry what somebody wrote,
        but a prompt that is put together of them still counts as the worst that the run has seen: once you
        have looked that it holds nothing else, `trust` vouches for it. The agent that has the text read
        stays as it was, as long as it isn't told the value.

        Called by an agent of your own in its turn, it is done in the name of that agent's `reader`, such as
        `desk/clerk/reader`; `agent` gives another agent's.

        Raises:
            NotFound: the configuration has no such deployment.
            MissingSetting: it is `auto`, and no deployment has a tier.
            AnswersMissing: the model gave no such value, also when it was asked once more.
        """
        self._features(model)
        return await extract(
            self._session,
            text,
            schema,
            model=model,
            instruction=instruction,
            agent=agent,
            options=options or {},
        )

    def trust(self, text: str) -> str:
        """The text, as one that the application itself vouches for, such as a memory's content.

        What the run has seen from an untrusted source stays untrusted.
        """
        self._session.instruct(text)
        return text

    def distrust(self, text: str, *, source: str) -> str:
        """The text, as one that somebody else may have written: for what your own code reads, not a tool."""
        self._session.derive(text, (), source)
        return text

    def _features(self, name: str) -> ModelFeatures:
        features = self._models.get(name)
        if features is None and name == AUTO:
            raise no_tiers()
        if features is None:
            raise NotFound(
                f"there is no model deployment {name!r}",
                hint=f"Configured under [models]: {', '.join(sorted(self._models)) or 'none'}.",
            )
        return features

    def tools(self, *names: str) -> GovernedWorkbench:
        """A workbench of tools that the team declared: a server, one tool of it (`server.tool`), a function.

        Raises:
            NotFound: the team declared no such tools.
            TeamError: two of them have one name, so that a model couldn't tell them apart.
        """
        specs: dict[str, ToolSpec] = {}
        for name in names:
            if name not in self._tools:
                raise NotFound(
                    f"the team declares no tools {name!r}",
                    hint=f'Write @app.team(…, tools=["{name}"]); declared: {", ".join(self._tools) or "-"}',
                )
            for spec in self._tools[name]:
                other = specs.setdefault(spec.name, spec)
                if other.server != spec.server:
                    raise TeamError(
                        f"{other.server} and {spec.server} both have a tool {spec.name}",
                        hint=f'Name the tools one by one, such as "{spec.server}.{spec.name}".',
                    )
        return GovernedWorkbench(self._session, tuple(specs.values()))

    def stand_in(self, agent: ChatAgent, backup: ChatAgent) -> None:
        """Lets another agent take an agent's place where it fails.

        The backup isn't a member of the team. It is given all that the agent was given and had answered, and
        speaks in its name. It may have a stand-in of its own.

        Raises:
            TeamError: the two would stand in for each other.
        """
        following: ChatAgent | None = backup
        while following is not None:
            if following is agent:
                raise TeamError(f"{agent.name} would stand in for itself")
            following = self.stand_ins.get(following)
        self.stand_ins[agent] = backup

    def human(self, role: str, *, description: str = "A person who confirms.") -> DurableHuman:
        """An agent that speaks for a person. The run waits for the answer without a process."""
        if len(role) > LONGEST_ROLE:
            raise TeamError(f"a person's role has at most {LONGEST_ROLE} characters: {role}")
        self.humans.add(role)
        return DurableHuman(self._session, role, description=description)


TeamFactory: TypeAlias = Callable[[TeamContext], Team | ChatAgent | Awaitable[Team | ChatAgent]]


def _unusual(work: "asyncio.Task[str]") -> BaseException | None:
    """What ended the work and is no `Exception`: awaiting it would end this task too."""
    if work.cancelled():
        return asyncio.CancelledError()
    error = work.exception()
    return None if isinstance(error, Exception) else error


class TeamRun:
    """A team built for one segment of one run."""

    def __init__(
        self,
        team: Team | ChatAgent,
        runtime: KillableRuntime,
        session: Session,
        roles: Roles,
        memory: Memory,
    ) -> None:
        self._team = team
        self._runtime = runtime
        self._session = session
        self._roles = roles
        self._memory = memory
        self._iterations: dict[str, int] = {}

    @classmethod
    async def build(
        cls, factory: TeamFactory, context: TeamContext, session: Session, *, settings: TeamSettings
    ) -> "TeamRun":
        """A team that is ready to be driven.

        Raises:
            UngovernedTeam: a part of the team would bypass the chain.
            TeamError: the factory returned no team, or one that can't be told apart.
        """
        try:
            built = factory(context)
            team = await built if isawaitable(built) else built
        except SystemExit as error:  # it would end the process, and every other run with it
            raise TeamError(f"the factory ended the process: SystemExit {error.code}") from error
        if not isinstance(team, Team | ChatAgent):
            raise TeamError(
                f"the factory returned {type(team).__name__}, not a team or an agent",
                hint="Return the AutoGen team itself.",
            )
        runtime = KillableRuntime()
        memory = Memory(team, context.stand_ins)  # of the user's own agents, as they are here
        own = adopt(team, runtime, session=session, settings=settings, stand_ins=context.stand_ins)
        return cls(own.team, runtime, session, own.roles, memory)

    async def remember(self, state: JsonObject) -> Losses:
        """What could not be given to the team of what an earlier one knew. To be called before `drive`."""
        return await self._memory.load(state)

    async def knowledge(self, *, task: str, answer: str) -> Knowledge:
        """What the team knows now. To be called behind `drive`."""
        await self._runtime.idle()
        return await self._memory.save(task=task, answer=answer)

    async def drive(self, task: str) -> str:
        """The text of the team's last message.

        Raises:
            TeamError: an agent raised something; AutoGen itself may not notice.
        """
        if self._runtime.used:
            self._runtime.start()
        work = asyncio.create_task(self._consume(self._memory.task(task)))
        broken = self._runtime.broken
        try:
            waited: tuple[asyncio.Future[Any], ...] = (work, broken)
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            error = broken.result() if broken.done() else _unusual(work)
            if error is not None:
                raise TeamError(f"an agent raised {type(error).__name__}: {error}") from error
            return await work
        finally:
            await end_tasks([work], within=PATIENCE)

    async def kill(self) -> None:
        """Ends all that the team still does."""
        await self._runtime.kill()

    async def _consume(self, task: str) -> str:
        answer: str | None = None
        async for item in self._team.run_stream(task=task):
            match item:
                case TaskResult():
                    # Returning here would leave AutoGen's span to another context.
                    answer = self._answer(item)
                case ToolCallExecutionEvent():
                    self._count(item)
                case BaseChatMessage() if item.source != "user":
                    self._iterations.pop(item.source, None)
                    self._session.message(item.source, type(item).__name__, item.to_model_text())
                case _:
                    pass
        if answer is None:
            raise TeamError("the team ended without a result")
        return answer

    def _count(self, executed: ToolCallExecutionEvent) -> None:
        agent = executed.source
        self._iterations[agent] = self._iterations.get(agent, 0) + 1
        limit = self._roles.iterations.get(agent, 1)
        if limit > 1 and self._iterations[agent] == limit:
            self._session.limit_reached(agent, limit)

    def _answer(self, result: TaskResult) -> str:
        """The last message of an agent: a person's confirmation is no answer."""
        for message in reversed(result.messages):
            if (
                isinstance(message, BaseChatMessage)
                and not isinstance(message, HandoffMessage)
                and message.source not in self._roles.people
            ):
                return message.to_model_text()
        return ""
