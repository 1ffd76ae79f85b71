"""What the configuration says of purposes, held against what it says elsewhere."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Literal, Protocol

from proctor.core import ConfigurationError, MissingSetting, PrivacySettings


class Team(Protocol):
    """What a team's settings say of whom its runs are about."""

    @property
    def purpose(self) -> str | None:
        """What its runs process data for."""

    @property
    def subject(self) -> Literal["requester"] | None:
        """Whom its runs are about, where a run doesn't say so itself."""


def check_purposes(teams: Mapping[str, Team], settings: PrivacySettings) -> None:
    """Returns where each team's purpose is a configured one.

    Raises:
        ConfigurationError: one isn't.
    """
    for name, team in teams.items():
        if team.purpose is not None and team.purpose not in settings.purposes:
            near = get_close_matches(team.purpose, settings.purposes, n=1)
            raise ConfigurationError(
                f"teams.{name}.purpose names {team.purpose!r}, which no purpose is called",
                hint=f"Did you mean {near[0]}?"
                if near
                else f"Add a section [privacy.purposes.{team.purpose}].",
            )


def check_vault(settings: PrivacySettings, *, wanted_by: str) -> None:
    """Returns where there is a key for values behind tokens.

    Raises:
        MissingSetting: there is none. `wanted_by` is the setting that asks for tokens.
    """
    if settings.vault.key_env is None and settings.vault.key_file is None:
        raise MissingSetting(
            f"{wanted_by} puts values behind tokens, and there is no key for them",
            hint='Add [privacy.vault] key_env = "PROCTOR_VAULT_KEY".',
        )
