"""Each sample of the documentation runs."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import proctor
from conftest import make_settings
from proctor.app import load_app, load_settings
from proctor.core import ModelCall
from proctor.deployments.support.shop import create_tenant, make_sample
from proctor.testing import Reply, ScriptedModel, tool_call

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def configurations() -> Iterator[object]:
    """Each configuration that a page shows, named by the page and the line on which it begins."""
    for page in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))):
        text = page.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield pytest.param(found[1], id=f"{page.relative_to(ROOT)}:{line}")


def settings_for(tmp_path: Path, **more: object) -> proctor.Settings:
    return make_settings(f"sqlite:///{tmp_path}/proctor.db", **more)


def test_the_examples_configuration_is_valid() -> None:
    loaded = load_settings(EXAMPLES / "proctor.toml", environ={})
    assert set(loaded.settings.models) == {"small", "large"}


@pytest.mark.parametrize("shown", tuple(configurations()))
def test_a_configuration_that_a_page_shows_can_be_used(tmp_path: Path, shown: str) -> None:
    file = tmp_path / "proctor.toml"
    file.write_text(shown, encoding="utf-8")
    assert load_settings(file, environ={}).sources


async def test_a_single_agent_answers(tmp_path: Path) -> None:
    app = load_app(str(EXAMPLES / "single_agent.py"))
    model = ScriptedModel(["Hello to you."])
    async with proctor.open(app, settings=settings_for(tmp_path), providers={"openai": model}) as running:
        run = await running.run("assistant", "Hello")
    assert (run.state, run.result) == ("completed", "Hello to you.")


async def test_agents_collaborate_over_the_tools_of_an_mcp_server(tmp_path: Path) -> None:
    create_tenant(tmp_path / "shop", "default", make_sample(1))
    app = load_app(str(EXAMPLES / "tools_over_mcp.py"))

    def script(call: ModelCall) -> Reply:
        if not call.tools:
            return "The customer wants to know about order #W0000000."
        if call.messages[-1]["role"] != "tool":
            return [tool_call("get_order_details", order_id="#W0000000")]
        return f"The store says: {call.messages[-1]['content']}"

    command = [sys.executable, "-m", "proctor.deployments.support.shop", "--root", str(tmp_path / "shop")]
    settings = settings_for(tmp_path, tools={"store": {"command": command}})
    async with proctor.open(app, settings=settings, providers={"openai": ScriptedModel(script)}) as running:
        run = await running.run("collaboration", "Where is my order #W0000000?")
        calls = await running.runs.calls(run.id)
    assert run.state == "completed", run.error
    assert [call.key.agent for call in calls] == ["analyst", "executor", "executor", "executor"]
    assert run.result is not None
    assert run.result.startswith("The store says: ")


@pytest.mark.parametrize(("kind", "drafts"), [("approve", 1), ("reject", 2)])
async def test_a_person_confirms(tmp_path: Path, kind: str, drafts: int) -> None:
    app = load_app(str(EXAMPLES / "person_confirms.py"))
    model = ScriptedModel(lambda call: f"Draft {len(call.messages)}")
    async with proctor.open(app, settings=settings_for(tmp_path), providers={"openai": model}) as running:
        run = await running.run("confirmed", "Write to the customer")
        while run.state == "waiting":
            (approval,) = await running.approvals()
            answer = proctor.Decision(kind=kind if len(model.calls) == 1 else "approve", by="ann")  # type: ignore[arg-type]
            await running.decide(approval.id, answer)
            run = await running.wait(run.id)
    assert run.state == "completed"
    assert len(model.calls) == drafts


async def test_the_twenty_lines_wait_for_somebody(tmp_path: Path) -> None:
    app = load_app(str(EXAMPLES / "twenty_lines.py"))
    model = ScriptedModel([[tool_call("cancel_order", order_id="W7")]])
    async with proctor.open(app, settings=settings_for(tmp_path), providers={"openai": model}) as running:
        run = await running.run("triage", "Please cancel my order W7.")
        (approval,) = await running.approvals()
    assert run.state == "waiting"
    assert approval.question.action["arguments"] == {"order_id": "W7"}


async def test_a_conversation_is_remembered(tmp_path: Path) -> None:
    path = str(EXAMPLES / "conversation.py")
    app = load_app(path)
    module = sys.modules["conversation"]
    model = ScriptedModel(["Five.", "Seven."])
    async with proctor.open(app, settings=settings_for(tmp_path), providers={"openai": model}) as running:
        answers = await module.talk(running, "What does the first one cost?", "And the second one?")
    assert answers == ["Five.", "Seven."]
    assert [message["content"] for message in model.calls[1].messages[1:]] == [
        "What does the first one cost?",
        "Five.",
        "And the second one?",
    ]
