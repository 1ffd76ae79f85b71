"""`[teams.NAME.review]`: who looks at what a team answers before it goes out."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PositiveInt, model_validator

from proctor.core._section import Duration, Name, Section

ReviewMode: TypeAlias = Literal["manual", "automatic", "second"]


class ReviewSettings(Section):
    """How a team's answers are reviewed.

    Whatever the mode: an answer in which the output policy finds what it escalates waits for a person.
    """

    mode: ReviewMode | None = None
    """`manual`: a person sees each answer. `automatic`: the output policy does, and a person a share.
    `second`: a judge model does, and a person where it doesn't agree. Absent: `manual` in production, else
    the output policy alone."""
    critical: bool = True
    """Whether a wrong answer does harm. Such answers can't be reviewed automatically."""
    roles: tuple[Name, ...] = ()
    """Who reviews: members of one of these. Absent: anybody."""
    quorum: PositiveInt = 1
    not_requester: bool = False
    """Whoever asked for the run doesn't review its answer."""
    expires: Duration | None = None
    on_expiry: Literal["reject", "escalate"] = "reject"
    """Nothing goes out because nobody looked: it is rejected, or asked of others."""
    escalate_to: tuple[Name, ...] = ()
    remind: Duration | None = None
    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Of the answers that are reviewed automatically, the part that a person sees all the same, drawn from
    each run's id."""
    judge: Name | None = None
    """For `second`: the deployment that judges."""
    rubric: str = ""
    """What it goes by."""
    significant: tuple[str, ...] = ()
    """Patterns of tools whose calls decide on something that weighs on a person (GDPR, article 22). A person
    decides on each of them, whatever other rules, standing approvals or the clock say."""

    @model_validator(mode="after")
    def _fits_together(self) -> "ReviewSettings":
        if self.mode == "automatic" and self.critical:
            raise ValueError('`mode = "automatic"` needs `critical = false`')
        if self.share and self.mode != "automatic":
            raise ValueError('`share` is for `mode = "automatic"`')
        if (self.mode == "second") != bool(self.judge):
            raise ValueError('`mode = "second"` and `judge` need each other')
        if bool(self.judge) != bool(self.rubric):
            raise ValueError("a judge needs a rubric, and a rubric a judge")
        if (self.on_expiry == "escalate") != bool(self.escalate_to):
            raise ValueError('`on_expiry = "escalate"` and `escalate_to` need each other')
        if self.escalate_to and self.expires is None:
            raise ValueError("`escalate_to` needs `expires`")
        return self
