"""`[roles.NAME]` and `[[teams.NAME.approvals]]`: who decides what, and until when."""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, JsonValue, PositiveInt, SecretStr, model_validator

from proctor.core._json import canonical_json
from proctor.core._questions import OnExpiry
from proctor.core._section import Duration, Name, Section


class RoleSettings(Section):
    """People who decide together: `[roles.NAME]`."""

    members: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = ()
    """As they sign their decisions: `ann@example.org`. Capitals make no difference."""
    notify: tuple[SecretStr, ...] = ()
    """Where the role is told of what waits for it: `mailto://…`, `slack://…`."""
    language: Literal["en", "zh"] = "en"
    """Of what it is told."""


class Condition(Section):
    """What an argument must be, all of it: `{ above = 100 }`."""

    above: int | FiniteFloat | None = None
    below: int | FiniteFloat | None = None
    equals: JsonValue = None
    one_of: tuple[JsonValue, ...] | None = None
    like: str | None = None
    """A pattern with `*` and `?` for a text."""

    @model_validator(mode="after")
    def _says_something(self) -> "Condition":
        if not self.model_fields_set:
            raise ValueError("a condition says one of above, below, equals, one_of and like")
        canonical_json([self.equals, self.one_of])  # raises for a number that is none
        return self


class SecondRule(Section):
    """A second verification after the first approval."""

    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Of the calls, drawn from each call's own key: the same call is always drawn the same way."""
    tools: tuple[str, ...] = ()
    """Only these; absent: all of the rule."""
    when: dict[str, Condition] = Field(default={})
    """Only where the arguments are so."""
    roles: tuple[Name, ...] = ()
    """Who may be the second person; absent: anybody but the first."""
    judge: Name | None = None
    """A deployment that judges in place of the second person, who is asked where it disagrees."""
    rubric: str = ""
    """What the judge goes by."""

    @model_validator(mode="after")
    def _judge_has_a_rubric(self) -> "SecondRule":
        if bool(self.judge) != bool(self.rubric):
            raise ValueError("a judge needs a rubric, and a rubric a judge")
        return self


class ApprovalRule(Section):
    """Who is asked on which terms: `[[teams.NAME.approvals]]`. The first rule that matches holds."""

    name: str = Field(default="", max_length=100)
    """Shown to those who decide; absent: its place, such as `approvals.2`."""
    tools: tuple[str, ...] = ()
    """Patterns of a tool's name or of `server.tool`: `orders.*`, `refund`."""
    human: Name | None = None
    """In place of tools: the team's own human of this name, whose answers are asked for on these terms."""
    when: dict[str, Condition] = Field(default={})
    """What the arguments must be; `customer.country` reaches into objects. Where an argument is missing or
    can't be compared, a rule that asks a person matches, and one that asks nobody doesn't."""
    needs: Literal["person", "nobody"] = "person"
    risk: str = ""
    """What could go wrong, for those who decide."""
    labels: tuple[str, ...] = ()
    roles: tuple[Name, ...] = ()
    """Who decides: members of one of these. Absent: anybody."""
    quorum: PositiveInt = 1
    """Persons who must approve. One who rejects is enough to reject."""
    not_requester: bool = False
    """Whoever asked for the run doesn't decide."""
    expires: Duration | None = None
    on_expiry: OnExpiry = "reject"
    """`respond` gives `default` as the answer; `escalate` asks the roles in `escalate_to`, one after the
    other, and rejects after the last."""
    escalate_to: tuple[Name, ...] = ()
    default: str = ""
    remind: Duration | None = None
    editable: Literal["all", "nothing"] | tuple[str, ...] = "all"
    """The arguments that whoever decides may change."""
    second: SecondRule | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "ApprovalRule":
        if bool(self.tools) == bool(self.human):
            raise ValueError("a rule is for `tools` or for a `human`")
        given = self.model_fields_set
        if self.human and (given & {"when", "needs", "quorum", "editable", "second"}):
            raise ValueError("a rule for a human knows no when, needs, quorum, editable and second")
        if self.needs == "nobody" and (given - {"name", "tools", "when", "needs"}):
            raise ValueError("a rule that asks nobody knows nothing but name, tools and when")
        if self.on_expiry != "reject" and self.expires is None:
            raise ValueError("`on_expiry` needs `expires`")
        if (self.on_expiry == "escalate") != bool(self.escalate_to):
            raise ValueError('`on_expiry = "escalate"` and `escalate_to` need each other')
        if (self.on_expiry == "respond") != bool(self.default):
            raise ValueError('`on_expiry = "respond"` and `default` need each other')
        return self
