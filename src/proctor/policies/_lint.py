"""What is odd about a policy that can be read: rules that never speak, and such as change nothing."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from proctor.core import PolicyRule, PolicySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One odd thing."""

    rule: str
    says: str
    todo: str


def lint(settings: PolicySettings, *, teams: Collection[str]) -> Iterator[Remark]:
    """What whoever wrote the policy probably didn't mean, rule by rule."""
    for number, rule in enumerate(settings.rules):
        if strangers := sorted(set(rule.teams) - set(teams)):
            yield Remark(
                rule=rule.id,
                says=f"is for teams that [teams] doesn't name: {', '.join(strangers)}",
                todo="Correct the name, or add the team's section.",
            )
        if earlier := _covered(rule, settings.rules[:number]):
            yield Remark(
                rule=rule.id,
                says=f"never speaks: {earlier} comes before it and speaks for all that it finds",
                todo="Move it before that rule, or remove it.",
            )
        elif not _changes(rule, settings, settings.rules[number + 1 :]):
            yield Remark(
                rule=rule.id,
                says=f"changes nothing: {rule.outcome!r} is what its stages say without it",
                todo="Remove it.",
            )


def _covered(rule: PolicyRule, earlier: Sequence[PolicyRule]) -> str:
    """The rule that always speaks first, for all stages and kinds together; empty where there is none."""
    for other in earlier:
        same_teams = not other.teams or (rule.teams and set(rule.teams) <= set(other.teams))
        if (
            rule.finds
            and set(rule.finds) <= set(other.finds)
            and set(rule.stages) <= set(other.stages)
            and same_teams
            and other.at_least <= rule.at_least
        ):
            return other.id
    return ""


def _changes(rule: PolicyRule, settings: PolicySettings, later: Sequence[PolicyRule]) -> bool:
    if rule.words or rule.reason or any(set(rule.finds) & set(other.finds) for other in later):
        return True
    return any(
        getattr(getattr(settings, stage), kind) != rule.outcome
        for stage in rule.stages
        for kind in rule.finds
    )
