"""`proctor models`."""

import asyncio
from pathlib import Path

from cyclopts import App as Commands
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from proctor.app import load_settings
from proctor.cli._options import ConfigFile, Json
from proctor.cli._output import console, print_json, print_table
from proctor.models.local import PullProgress, shipped_lock
from proctor.models.local import pull as pull_weights

models = Commands(name="models", help="Fetch weights of models that run locally.", help_format="plaintext")


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
