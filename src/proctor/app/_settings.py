"""`proctor.toml`, with the environment over it."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from proctor.app._lines import line_of
from proctor.app._tokens import check_tokens
from proctor.approvals import check_licensed, check_role, check_roles
from proctor.core import (
    AccessSettings,
    AlertSettings,
    AuditSettings,
    BudgetRule,
    BudgetSettings,
    ConfigurationError,
    DataSettings,
    DegradationSettings,
    DeploymentSettings,
    EngineSettings,
    KnowledgeSettings,
    LocalModelSettings,
    Name,
    NoticeSettings,
    PolicySettings,
    PrivacySettings,
    RoleSettings,
    RouterSettings,
    Section,
    ServerSettings,
    StorageSettings,
    StoreSettings,
    TeamSettings,
    TelemetrySettings,
    TenantSettings,
    ToolRule,
    ToolServerSettings,
    TrustSettings,
    UnknownKey,
)
from proctor.models import stand_ins
from proctor.models.router import overrides
from proctor.policies import check_stages
from proctor.privacy import check_purposes
from proctor.runs import Limit, Limits
from proctor.tools import ToolRules, check_clearances

FILE = "proctor.toml"
PREFIX = "PROCTOR_"
"""`PROCTOR_BUDGET__DAILY_USD=5` stands for `budget.daily_usd`."""

POLICY_FILE = "PROCTOR_POLICIES__FILE"
"""The one variable that is read before the others: they stand over what its file says."""

NOT_SETTINGS = frozenset({"PROCTOR_CONFIG", "PROCTOR_DATA", "PROCTOR_DEBUG"})
"""Variables with the prefix that are no settings."""

SHOWN_TYPES = (bool, int, float)
"""Values that an error may quote. A text may be a key that stands in the wrong place."""


class Settings(Section):
    """The whole configuration. Every key has a default but those of models and tool servers."""

    production: bool = False
    """Whether people depend on this: then each answer is reviewed, unless its team says otherwise."""
    database: StoreSettings = StoreSettings()
    models: dict[Name, DeploymentSettings] = Field(default={})
    tools: dict[Name, ToolServerSettings] = Field(default={})
    functions: dict[Name, ToolRule] = Field(default={})
    """What holds for the application's own functions, by their names."""
    trust: TrustSettings = TrustSettings()
    data: DataSettings = DataSettings()
    teams: dict[Name, TeamSettings] = Field(default={})
    tenants: dict[str, TenantSettings] = Field(default={})
    roles: dict[Name, RoleSettings] = Field(default={})
    engine: EngineSettings = EngineSettings()
    budget: BudgetSettings = BudgetSettings()
    budgets: dict[Name, BudgetRule] = Field(default={})
    router: RouterSettings = RouterSettings()
    storage: StorageSettings = StorageSettings()
    degradation: DegradationSettings = DegradationSettings()
    policies: PolicySettings = PolicySettings()
    notices: NoticeSettings = NoticeSettings()
    privacy: PrivacySettings = PrivacySettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    alerts: AlertSettings = AlertSettings()
    audit: AuditSettings = AuditSettings()
    access: AccessSettings = AccessSettings()
    release: str = Field(default="", pattern=r"^[A-Za-z0-9._+-]{0,64}$")
    """Which version of the application this is: runs bear it, metrics and traces tell it."""
    knowledge: KnowledgeSettings = KnowledgeSettings()
    server: ServerSettings = ServerSettings()
    local: LocalModelSettings = LocalModelSettings()
    app: str = Field(default="", pattern=r"^$|^[^:]+(:[A-Za-z_]\w*)?$")
    """Where the teams are: `module` or `file.py`, as `proctor run` takes it without the team."""

    def team(self, name: str) -> TeamSettings:
        """The settings of a team; the defaults where the configuration doesn't name it."""
        return self.teams.get(name, TeamSettings())

    def may_be_cached(self, team: str, agent: str) -> bool:
        """Whether an agent, by its place in the team, may be answered from a deployment's cache."""
        agents = self.team(team).agents
        found = agents.get(agent) or agents.get(agent.rpartition("/")[2])
        return found is None or found.cache


def limits_of(settings: Settings) -> Limits:
    """What teams and tenants may have of the workers' time."""
    return Limits(
        teams={
            name: Limit(concurrency=team.concurrency, rate_per_minute=team.rate_per_minute)
            for name, team in settings.teams.items()
            if team.concurrency or team.rate_per_minute
        },
        tenants={
            name: Limit(concurrency=tenant.concurrency, rate_per_minute=tenant.rate_per_minute)
            for name, tenant in settings.tenants.items()
            if tenant.concurrency or tenant.rate_per_minute
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The configuration and where each value came from."""

    settings: Settings
    sources: Mapping[str, str]
    """For each dotted key that was given: the file or variable that gave it."""
    path: Path | None
    """The file, where there is one."""

    def source(self, key: str) -> str:
        """The file or variable that gave a value or the table that it stands in; else `default`."""
        return _source(self.sources, key) or "default"


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Loaded:
    """The configuration: from `path`, else from `PROCTOR_CONFIG`, else from `proctor.toml`, else defaults.

    Variables such as `PROCTOR_MODELS__SMALL__MODEL` stand over the file. They name a section in
    capitals and with `_` for `-`: where the file has `[models.my-model]`, `PROCTOR_MODELS__MY_MODEL__…` is
    meant for it.

    Raises:
        UnknownKey: a key that no setting has, with the likely one.
        ConfigurationError: the file can't be read, or a value doesn't fit.
    """
    named = path or (Path(environ["PROCTOR_CONFIG"]) if environ.get("PROCTOR_CONFIG") else None)
    file = named or Path(FILE)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    if file.exists():
        values = _read_toml(file)
        sources = dict.fromkeys(_leaves(values), str(file))
    elif named is not None:
        raise ConfigurationError(
            f"there is no configuration file {named}", hint="Check --config or PROCTOR_CONFIG."
        )
    if named_policy := environ.get(POLICY_FILE):
        _put(values, POLICY_FILE, _parse(named_policy))
    taken = _take_policy_file(values, sources, file)
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS:
            sources[_put(values, variable, _parse(text))] = variable
    _check_taken(values, taken)
    settings = _validated(values, sources, file)
    check_names(settings)
    return Loaded(settings=settings, sources=sources, path=file if file.exists() else None)


def load_policy(path: Path) -> PolicySettings:
    """The policy of a file of its own.

    Raises:
        ConfigurationError: it isn't there, can't be read, or a value doesn't fit.
    """
    if not path.exists():
        raise ConfigurationError(f"there is no policy file {path}", hint="Check --policy.")
    told = {"policies": _read_policy(path)}
    sources = dict.fromkeys(_leaves(told), str(path))
    policies = _validated(told, sources, path).policies
    check_stages(policies)
    return policies


def _validated(values: dict[str, Any], sources: Mapping[str, str], file: Path) -> Settings:
    for place, known in _unknown_keys(values, Settings):
        raise _explain_key(place, known, _stands(place, sources, file))
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise _explain_value(error, values, sources, file) from None


def check_names(settings: Settings) -> None:
    """Returns where all that the configuration names elsewhere is there: models, and roles with people.

    Raises:
        ConfigurationError: something isn't.
    """
    stand_ins(settings.models)
    overrides(settings.teams, settings.models)
    check_purposes(settings.teams, settings.privacy)
    for name, budget in settings.budgets.items():
        if budget.scope == "model" and budget.of:
            _check_model(f"budgets.{name}.of", budget.of, settings)
        for role in budget.roles:
            check_role(f"budgets.{name}", role, settings.roles)
    rules = ToolRules(settings.tools, settings.functions, settings.data)
    check_clearances(settings.teams, rules, settings.data)
    check_stages(settings.policies)
    check_tokens(settings.policies, settings.privacy)
    check_licensed(settings.policies.licensed, settings.roles)
    for where, told in _told_of_alerts(settings.alerts):
        for role in told:
            check_role(where, role, settings.roles)
    check_roles(settings.teams, settings.roles, settings.models, told=settings.notices.roles)


def _told_of_alerts(alerts: AlertSettings) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "alerts.roles", alerts.roles
    for name, team in alerts.teams.items():
        yield f"alerts.teams.{name}.roles", team.roles or ()


def _check_model(where: str, name: str, settings: Settings) -> None:
    if name not in settings.models:
        near = get_close_matches(name, settings.models, n=1)
        raise ConfigurationError(
            f"{where} names {name!r}, which no model is called",
            hint=f"Did you mean {near[0]}?" if near else f"Add a section [models.{name}].",
        )


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file} is not valid TOML: {error}", hint="Mend that line.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is not UTF-8 text: {error}", hint="Save it as UTF-8.") from error
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}") from error


def _take_policy_file(values: dict[str, Any], sources: dict[str, str], beside: Path) -> str:
    """The file whose policies now stand in the place of the section that names it; empty where none does.

    Raises:
        ConfigurationError: the file can't be read, or the section says more than which file it is.
    """
    section = values.get("policies")
    if not isinstance(section, dict) or not isinstance(name := section.get("file"), str) or not name:
        return ""
    if more := sorted(section.keys() - {"file"}):
        raise ConfigurationError(
            f"{beside}: policies: {', '.join(more)} stands beside `file`",
            hint=f"Put it into {name}, so that one file says all.",
        )
    path = beside.parent / name
    if not path.exists():
        raise ConfigurationError(
            f"{beside}: policies.file: there is no file {path}",
            hint="Without its policy nothing starts: put the file there, or remove `file`.",
        )
    told = _read_policy(path)
    values["policies"] = {**told, "file": name}
    sources.update(dict.fromkeys((f"policies.{key}" for key in _leaves(told)), str(path)))
    return name


def _read_policy(path: Path) -> dict[str, Any]:
    told = _read_toml(path)
    if "file" in told:
        raise ConfigurationError(
            f"{path}: file: a policy's own file names no further one", hint="Put all of the policy into it."
        )
    return told


def _check_taken(values: Mapping[str, Any], taken: str) -> None:
    """Returns where the policies' file that is named in the end is the one that was read."""
    section = values.get("policies")
    named = section.get("file") if isinstance(section, dict) else ""
    if (named or "") != taken:
        raise ConfigurationError(
            f"policies.file names {named!r}, which wasn't read",
            hint=f"Name it in the configuration file, or by {POLICY_FILE}.",
        )


def _leaves(values: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"


def _put(values: dict[str, Any], variable: str, value: Any) -> str:
    """The dotted key of the setting that a variable has set."""
    *above, last = variable.removeprefix(PREFIX).split("__")
    place: list[str] = []
    for word in above:
        place.append(_spelling(word, values))
        values = values.setdefault(place[-1], {})
        if not isinstance(values, dict):
            raise ConfigurationError(
                f"{variable} sets a value below {'.'.join(place)}, which is a value itself"
            )
    # A tool server's own variables keep their capitals.
    key = last if place[-1:] == ["env"] else _spelling(last, values)
    values[key] = value
    return ".".join([*place, key])


def _spelling(word: str, known: Mapping[str, Any]) -> str:
    """A variable's word as the file writes it where the file has it, else in small letters."""
    small = word.lower()
    return next((name for name in known if name.lower().replace("-", "_") == small), small)


def _parse(text: str) -> Any:
    """A variable's value as TOML reads it; what is no TOML, or a date, is a text."""
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = read.pop("value")
    return value if not read and isinstance(value, bool | int | float | str | list | dict) else text


def _source(sources: Mapping[str, str], key: str) -> str | None:
    """What gave a value, or the table that it stands in, or the first of the values below it."""
    above = key
    while above not in sources and "." in above:
        above = above.rpartition(".")[0]
    below = (source for given, source in sources.items() if given.startswith(f"{key}."))
    return sources.get(above) or next(below, None)


def _unknown_keys(values: Any, kind: Any, above: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """The dotted keys that no setting has, each with the keys that there are at its place."""
    if isinstance(values, list):
        for number, value in enumerate(values, start=1):
            inner = next(iter(get_args(kind)), None)
            yield from _unknown_keys(value, inner, f"{above}{number}.")
        return
    if not isinstance(values, dict):
        return
    if get_origin(kind) is dict:
        for name, value in values.items():
            yield from _unknown_keys(value, get_args(kind)[1], f"{above}{name}.")
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        for key, value in values.items():
            if key in kind.model_fields:
                yield from _unknown_keys(value, kind.model_fields[key].annotation, f"{above}{key}.")
            else:
                yield f"{above}{key}", tuple(kind.model_fields)
    else:
        for one in get_args(kind):
            yield from _unknown_keys(values, one, above)


def _explain_key(place: str, known: tuple[str, ...], source: str) -> UnknownKey:
    above, _, key = place.rpartition(".")
    near = get_close_matches(key, known, n=1)
    if source.startswith(PREFIX) and "__" not in source:
        hint = f"Two underscores stand between section and key: {PREFIX}BUDGET__DAILY_USD."
    elif near:
        meant = f"{above}.{near[0]}" if above else near[0]
        hint = f"Did you mean {meant}?"
    else:
        hint = f"Known {'in ' + above if above else 'sections'}: {', '.join(known)}."
    return UnknownKey(f"{source}: no setting is called {place}", hint=hint)


def _explain_value(
    error: ValidationError, values: Mapping[str, Any], sources: Mapping[str, str], file: Path
) -> ConfigurationError:
    deepest = max(error.errors(), key=lambda each: len(each["loc"]))
    place = ".".join(_place(values, deepest["loc"], missing=deepest["type"] == "missing"))
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    hint = "Mend that value."
    if deepest["type"] == "missing":
        hint = f"Add `{deepest['loc'][-1]} = …` there."
    elif deepest["type"] == "string_type":
        hint = "Put the value in double quotes."
    elif isinstance(deepest["input"], SHOWN_TYPES):
        hint = f"It is now {deepest['input']!r}."
    what = deepest["msg"].removeprefix("Value error, ")
    if near := _likely(deepest):
        hint = f"Did you mean {near!r}?"
    return ConfigurationError(f"{_stands(place, sources, file)}: {place}: {what}{more}", hint=hint)


def _likely(error: ErrorDetails) -> str | None:
    """The word that was probably meant, where a closed set of words doesn't have the one given."""
    given, known = error["input"], error.get("ctx", {}).get("expected")
    if error["type"] != "literal_error" or not isinstance(given, str) or known is None:
        return None
    return next(iter(get_close_matches(given, re.findall(r"'([^']*)'", str(known)), n=1)), None)


def _stands(place: str, sources: Mapping[str, str], file: Path) -> str:
    """The variable that gives a key; or the file, with the line."""
    source = _source(sources, place) or str(file)
    path = Path(source)
    if source.startswith(PREFIX) or not path.is_file():
        return source
    parts, text = place.split("."), path.read_text(encoding="utf-8")
    line = line_of(text, parts) or line_of(text, parts[1:])  # of policies in a file of their own
    return f"{source}, line {line}" if line else source


def _place(values: Any, loc: tuple[int | str, ...], *, missing: bool) -> Iterator[str]:
    """The keys of an error's place, without the marks that pydantic adds for the arms of a union.

    What stands in a list is counted from 1, as everywhere.
    """
    for part in loc:
        if isinstance(values, dict) and part in values:
            values = values[part]
            yield str(part)
        elif isinstance(values, list) and isinstance(part, int) and part < len(values):
            values = values[part]
            yield str(part + 1)
    if missing:
        yield str(loc[-1])
