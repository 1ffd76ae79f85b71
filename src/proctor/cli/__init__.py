"""The command line."""

from proctor.cli._main import main

__all__ = ["main"]
