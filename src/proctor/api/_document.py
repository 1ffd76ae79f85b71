"""The description of the API for programs: OpenAPI 3.1."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi import Request

from proctor.access import Principal
from proctor.api._site import make_site
from proctor.app import App, Settings, open_proctor
from proctor.core import Unauthenticated


class _Closed:
    """A door that lets nobody in: the description is all that is asked for."""

    async def enter(self, request: Request) -> Principal:  # noqa: ARG002 - nobody is looked at
        """Never."""
        raise Unauthenticated("nobody enters here")

    async def recall(self, request: Request) -> None:
        """Never."""
        await self.enter(request)


async def describe() -> str:
    """The document as it is kept beside the code, whatever is configured here."""
    with TemporaryDirectory() as folder:
        settings = Settings.model_validate({"database": {"url": f"sqlite:///{Path(folder) / 'none.db'}"}})
        async with open_proctor(App(), settings=settings, executes=False, environ={}) as proctor:
            document = make_site(proctor, door=_Closed()).openapi()
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
