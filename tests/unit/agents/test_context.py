"""What a team's factory is given."""

from autogen_agentchat.agents import AssistantAgent

import proctor
from conftest import make_settings
from proctor.testing import ScriptedModel


async def failure_of(tmp_path, name: str) -> str:
    """Why a run fails whose agent asks for a model by this name; no deployment has a tier."""
    app = proctor.App()

    @app.team("desk")
    def desk(ctx: proctor.TeamContext) -> AssistantAgent:
        return AssistantAgent("clerk", model_client=ctx.model(name))

    settings = make_settings(f"sqlite:///{tmp_path}/proctor.db")
    providers = {"openai": ScriptedModel("Done.")}
    async with proctor.open(app, settings=settings, environ={}, providers=providers) as running:
        run = await running.run("desk", "Hi")
    assert run.state == "failed"
    return str(run.error)


async def test_a_model_that_is_not_configured_is_told_with_those_that_are(tmp_path):
    assert "small" in await failure_of(tmp_path, "smal")


async def test_a_router_without_anything_to_choose_from_says_what_it_needs(tmp_path):
    assert "`tier" in await failure_of(tmp_path, "auto")
