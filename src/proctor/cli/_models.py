"""`proctor models`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from proctor.app import Settings, load_settings
from proctor.cli._options import ConfigFile, Json
from proctor.cli._output import console, fields, print_json, print_table, put
from proctor.core import Micros, ModelCall, PriceUnknown, SystemClock, Usage, format_usd
from proctor.models.local import PullProgress, shipped_lock
from proctor.models.local import pull as pull_weights

if TYPE_CHECKING:
    from proctor.models.router import Choice, Router

models = Commands(
    name="models",
    help="See what `auto` chooses and what waits in batches; fetch weights for local models.",
    help_format="plaintext",
)
models.command(
    "proctor.cli._batches:batches",
    name="batches",
    help="List the batches in which calls of patient runs go to providers.",
)


@models.command(name="list")
def list_models(*, config: ConfigFile = None, json: Json = False) -> None:
    """List the local models that can be fetched, and which are here."""
    folder = load_settings(config).settings.local.folder.expanduser()
    pinned = shipped_lock().models
    if json:
        found = [
            {
                "name": name,
                "here": (folder / model.file).exists(),
                "bytes": model.size,
                "licence": model.licence,
                "upstream": model.upstream,
                "path": folder / model.file,
            }
            for name, model in pinned.items()
        ]
        print_json(found)
        return
    rows = [
        (
            name,
            Text("here", style="green") if (folder / model.file).exists() else "-",
            f"{model.size / 1e9:.2f} GB",
            model.licence,
            model.note,
        )
        for name, model in pinned.items()
    ]
    out = console()
    print_table(out, ("model", "here", "size", "licence", "what it is"), rows, right=("size",))
    out.print(Text(f"Kept in {folder}. To fetch one: proctor models pull NAME"), soft_wrap=True)


@models.command
def pull(name: str, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """Fetch a model's weights and check every byte. An interrupted pull goes on where it stopped.

    Parameters
    ----------
    name
        As `proctor models list` shows it.
    """
    folder = load_settings(config).settings.local.folder.expanduser()
    path = asyncio.run(_pull(name, folder))
    if json:
        print_json({"name": name, "path": path})
    else:
        console().print(Text(str(path)), soft_wrap=True)


@models.command
def route(
    text: str,
    /,
    *,
    explain: Annotated[bool, Parameter(negative="")] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Show which deployment `auto` would ask for a request. Nothing is sent.

    Parameters
    ----------
    text
        What an agent would ask.
    explain
        Also show what was read off the request, and what spoke for and against a large model.
    """
    from proctor.testing import FakeScope  # here, because it brings clients of models along

    message = {"role": "user", "content": text}
    call = ModelCall(scope=FakeScope(run_id="", agent=""), model="auto", messages=(message,))
    choice = _router(load_settings(config).settings).explain(call)
    if json:
        print_json(_as_json(choice, explain=explain))
        return
    out = console()
    put(fields({"asks": choice.to, "tier": choice.tier, "because": choice.why}), out)
    rows = [
        (
            one.name,
            one.tier,
            "?" if one.cost is None else format_usd(one.cost),
            one.passed_over or Text("asked", style="green"),
        )
        for one in choice.candidates
    ]
    out.print()
    print_table(out, ("deployment", "tier", "about", "why not"), rows, right=("about",))
    if explain:
        out.print()
        spoken = [(name, f"{weight:+.2f}") for name, weight in choice.contributions]
        print_table(out, ("for (+) and against (-) a large model", "log-odds"), spoken, right=("log-odds",))
        likely = {name: f"{chance:.2f}" for name, chance in choice.domains.items()}
        out.print()
        put(fields({"needs more": f"{choice.chance:.2f} of {choice.caution:.2f}", **likely}), out)


def _router(settings: Settings) -> "Router":
    """The configured router, without a budget or a system around it."""
    from proctor.ledger import Prices  # heavy, and for this command alone
    from proctor.models.router import Router

    prices, clock = Prices(settings.models), SystemClock()

    def price(deployment: str, usage: Usage) -> Micros | None:
        try:
            return prices.price_of(usage, deployment, at=clock.now())
        except PriceUnknown:
            return None

    return Router(settings.models, settings.router, clock=clock, price=price)


def _as_json(choice: "Choice", *, explain: bool) -> dict[str, object]:
    candidates = [
        {
            "name": one.name,
            "tier": one.tier,
            "cost_micros": one.cost,
            "passed_over": one.passed_over,
        }
        for one in choice.candidates
    ]
    shown: dict[str, object] = {
        "to": choice.to,
        "tier": choice.tier,
        "required": choice.required,
        "chance": round(choice.chance, 3),
        "caution": round(choice.caution, 3),
        "why": choice.why,
        "candidates": candidates,
    }
    if explain:
        shown["domains"] = {name: round(chance, 3) for name, chance in choice.domains.items()}
        shown["figures"] = {name: round(value, 3) for name, value in choice.figures.items()}
        shown["contributions"] = dict(choice.contributions)
    return shown


async def _pull(name: str, folder: Path) -> Path:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)

        def show(progress: PullProgress) -> None:
            bar.update(task, completed=progress.done_bytes, total=progress.total_bytes)

        return await pull_weights(name, folder=folder, progress=show)
