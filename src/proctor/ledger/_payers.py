"""For whom money is spent."""

from typing import Protocol


class Payer(Protocol):
    """For whom money is spent: a call's scope, or what is known of one."""

    @property
    def run_id(self) -> str: ...
    @property
    def team(self) -> str: ...
    @property
    def tenant(self) -> str: ...
    @property
    def agent(self) -> str: ...
    @property
    def requester(self) -> str: ...
    @property
    def thread(self) -> str: ...
