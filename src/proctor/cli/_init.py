"""`proctor init`."""

from importlib.resources import files
from pathlib import Path

from rich.text import Text

from proctor.cli._output import console
from proctor.core import Conflict

TEMPLATES = ("proctor.toml", "app.py")


def init(folder: Path = Path(), /) -> None:
    """Write a commented proctor.toml and a small app.py to start with. Nothing is overwritten.

    Parameters
    ----------
    folder
        Where; else here.
    """
    there = [name for name in TEMPLATES if (folder / name).exists()]
    if there:
        raise Conflict(f"{folder / there[0]} is there already", hint="Name another folder, or move it away.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in TEMPLATES:
        text = files(__package__).joinpath("templates", f"{name}.template").read_text(encoding="utf-8")
        (folder / name).write_text(text, encoding="utf-8")
    out = console()
    out.print(Text(f"Wrote {' and '.join(str(folder / name) for name in TEMPLATES)}. Next:"), soft_wrap=True)
    if folder != Path():
        out.print(Text(f"  cd {folder}"), soft_wrap=True)
    out.print(Text("  export OPENAI_API_KEY=…        # or choose another model in proctor.toml"))
    out.print(Text("  proctor doctor"))
    out.print(Text('  proctor run app.py:helper "What can you do?"'))
