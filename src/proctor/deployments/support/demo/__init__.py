"""`make demo`: customers' questions to the support desk on a model of this machine, checked against data."""

from proctor.deployments.support.demo._main import main

__all__ = ["main"]
