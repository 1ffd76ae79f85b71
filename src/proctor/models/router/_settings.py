"""What the configuration says of `auto`: who is set to which deployment, and what can be asked of it."""

from collections.abc import Mapping

from proctor.core import ConfigurationError, DeploymentSettings, TeamSettings
from proctor.models._deployments import Capabilities
from proctor.models.router._router import AUTO, Override, no_tiers


def overrides(teams: Mapping[str, TeamSettings], deployments: Mapping[str, DeploymentSettings]) -> Override:
    """Tells which deployment is set for an agent: by its place in the team, else by its name alone.

    Raises:
        ConfigurationError: a deployment is called `auto`, or an agent is set to one that isn't configured.
        MissingSetting: an agent is set to `auto`, and no deployment has a tier.
    """
    if AUTO in deployments:
        raise ConfigurationError(
            f"[models.{AUTO}] has a name that is the router's own", hint="Give the deployment another name."
        )
    named = {
        (team, agent): one.model
        for team, settings in teams.items()
        for agent, one in settings.agents.items()
        if one.model is not None
    }
    if AUTO in named.values() and not any(one.tier for one in deployments.values()):
        raise no_tiers()
    for (team, agent), model in named.items():
        if model != AUTO and model not in deployments:
            raise ConfigurationError(
                f"teams.{team}.agents.{agent}.model names {model!r}, which is no deployment",
                hint=f"Add a section [models.{model}], or let the router choose: {AUTO}.",
            )

    def override(team: str, agent: str) -> str | None:
        return named.get((team, agent)) or named.get((team, agent.rpartition("/")[2]))

    return override


def common_capabilities(deployments: Mapping[str, DeploymentSettings]) -> Capabilities:
    """What can be asked of `auto`: what every deployment that has a tier can do.

    Raises:
        MissingSetting: none has one.
    """
    tiered = [one for one in deployments.values() if one.tier is not None]
    if not tiered:
        raise no_tiers()
    return Capabilities(
        model=AUTO,
        vision=all(one.vision for one in tiered),
        context_window=min(one.context_window for one in tiered),
        function_calling=all(one.function_calling for one in tiered),
        structured_output=all(one.structured_output for one in tiered),
    )
