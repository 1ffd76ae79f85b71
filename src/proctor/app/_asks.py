"""Who answers a tool server that asks for something during a call: people, and models of the run."""

from proctor.approvals import elicit_terms
from proctor.core import JsonObject, ModelHandler, ModelResult, TeamSettings, Terms, ToolCall
from proctor.runs import consult
from proctor.tools import Asks


def asks_by(ask: ModelHandler, team: TeamSettings) -> Asks:
    """Answers on a team's terms, by its model chain: recorded, measured and paid for."""

    def terms(call: ToolCall) -> Terms:
        return elicit_terms(call, team)

    async def sample(
        call: ToolCall, /, *, model: str, messages: tuple[JsonObject, ...], options: JsonObject
    ) -> ModelResult:
        return await consult(call.scope, ask, model=model, messages=messages, options=options)

    return Asks(terms=terms, sample=sample)
