"""The demo's own folder: its configuration, its database and its shop."""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from proctor import Settings, load_settings
from proctor.core import ConfigurationError
from proctor.deployments.support.shop import (
    Database,
    Effect,
    Shop,
    copy_tenant,
    create_tenant,
    export_database,
    make_sample,
    read_effects,
)

TENANT = "default"
EXPECTED = "expected"
"""A copy of the shop on which the demo does by itself what the team is expected to do."""

_MARK = "# Written by the demo."
_TOML = """\
{mark} The command line reads it too: proctor runs list --config {file}
app = "proctor.deployments.support"

[database]
url = {database}

[models.small]
provider = "local"
model = {model}
timeout = 300
options = {{ temperature = 0, max_tokens = 400 }}

[tools.store]
command = {command}
env = {env}

[policies.input]
secret = "deny"
email = "allow"  # the shop knows its customers by it
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where everything of one demo lies."""

    folder: Path

    @property
    def store(self) -> Path:
        """The folder of the shop's databases."""
        return self.folder / "store"

    @property
    def configuration(self) -> Path:
        """The configuration's file."""
        return self.folder / "proctor.toml"

    def clear(self) -> None:
        """Removes what an earlier demo left, and nothing else.

        Raises:
            ConfigurationError: the folder is something else's.
        """
        if not self.folder.exists() or not any(self.folder.iterdir()):
            return
        if not self.configuration.exists() or not self.configuration.read_text("utf-8").startswith(_MARK):
            raise ConfigurationError(
                f"{self.folder} holds something that is no demo's", hint="Name another --folder."
            )
        shutil.rmtree(self.store, ignore_errors=True)
        for file in self.folder.glob("proctor.db*"):
            file.unlink()

    def settings(self, model: str, models_of: Path | None) -> Settings:
        """The demo's configuration; with `models_of` the models are those of another file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "proctor.deployments.support.shop", "--root", str(self.store)]
        # A server inherits nothing: where Proctor is found by this variable, so is the shop.
        path = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        env = ", ".join(f"{name} = {json.dumps(value)}" for name, value in path.items())
        text = _TOML.format(
            mark=_MARK,
            file=self.configuration,
            database=json.dumps(f"sqlite:///{self.folder / 'proctor.db'}"),
            model=json.dumps(model),
            command=json.dumps(command),
            env=f"{{ {env} }}",
        )
        self.configuration.write_text(text, encoding="utf-8")
        settings = load_settings(self.configuration, environ={}).settings
        if models_of is None:
            return settings
        return settings.model_copy(update={"models": load_settings(models_of).settings.models})

    def make_shop(self, seed: int) -> Database:
        """The sample shop, as it stands: made where there is none."""
        if not (self.store / f"{TENANT}.sqlite").exists():
            create_tenant(self.store, TENANT, make_sample(seed))
        for stale in self.store.glob(f"{EXPECTED}.sqlite*"):
            stale.unlink()
        copy_tenant(self.store, TENANT, EXPECTED)
        return export_database(self.store, TENANT)

    def expect(self, tool: str, arguments: dict[str, str]) -> None:
        """Does on the copy what the team is expected to do in the shop."""
        shop = Shop(self.store)
        try:
            shop.call(tool, arguments, tenant=EXPECTED)
        finally:
            shop.close()

    def is_as_expected(self) -> bool:
        """Whether every document of the shop is what it is in the copy."""
        return export_database(self.store, TENANT) == export_database(self.store, EXPECTED)

    def effects(self) -> tuple[Effect, ...]:
        """Every write that the shop has executed."""
        return read_effects(self.store, TENANT)

    def holds(self, text: str) -> bool:
        """Whether Proctor's database holds a text anywhere."""
        return any(text.encode() in file.read_bytes() for file in self.folder.glob("proctor.db*"))
