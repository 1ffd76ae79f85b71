"""The support desk with a scripted model, on its real shop behind a real MCP server."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.responses import Response

import proctor
from conftest import make_settings
from proctor import Decision
from proctor.app import load_app
from proctor.core import KnowledgeSettings, ModelCall
from proctor.deployments.support import load_knowledge, make_app
from proctor.deployments.support.shop import Order, create_tenant, export_database, make_sample, read_effects
from proctor.knowledge import Changes, Knowledge
from proctor.store import Database
from proctor.testing import Reply, ScriptedModel, tool_call
from servers.openai_endpoint import Body, completion, says, serving

SHOP = make_sample()
Script = Callable[[ModelCall], Reply]


def order(status: str, place: int = 0) -> Order:
    return [order for order in SHOP["orders"].values() if order["status"] == status][place]


def email(of: Order) -> str:
    return SHOP["users"][of["user_id"]]["email"]


def text_of(call: ModelCall) -> str:
    return "\n".join(str(message["content"]) for message in call.messages)


def desk(wish: str, acts: Reply = "Here is the answer.", revised: str = "The manager's words.") -> Script:
    """An analyst who finds a wish, an actor who acts once where it has tools, and a reviser."""

    def script(call: ModelCall) -> Reply:
        if call.response_format is not None:
            return json.dumps({"query": "what the customer wants", "wish": wish})
        if "manager" in str(call.messages[0]["content"]):
            return revised
        if call.messages[-1]["role"] == "tool":
            return f"Done: {str(call.messages[-1]['content'])[:40]}"
        return acts if call.tools or isinstance(acts, str) else "That is not possible."

    return script


@dataclass
class Open:
    """The support desk, open."""

    running: proctor.Proctor
    model: ScriptedModel
    store: Path

    async def approve(self, kind: str = "approve", comment: str = "") -> dict[str, object]:
        """Decides the one question that waits, and tells what was asked."""
        (approval,) = await self.running.approvals()
        await self.running.decide(approval.id, Decision(kind=kind, comment=comment, by="ann"))  # type: ignore[arg-type]
        await self.running.wait(approval.run_id)
        return dict(approval.question.action)

    def actor(self) -> ModelCall:
        """The first call of the agent that answers."""
        return self.model.calls[1]


@asynccontextmanager
async def opened(folder: Path, script: Script) -> AsyncIterator[Open]:
    store = folder / "store"
    create_tenant(store, "default", SHOP)
    command = [sys.executable, "-m", "proctor.deployments.support.shop", "--root", str(store)]
    env = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    settings = make_settings(
        f"sqlite:///{folder}/proctor.db",
        tools={"store": {"command": command, "env": env}},
        knowledge={"embeddings": "none"},
        policies={"input": {"email": "allow"}, "marking": "off"},
    )
    model = ScriptedModel(script)
    async with (
        asyncio.timeout(60),
        proctor.open(make_app(), settings=settings, providers={"openai": model}) as running,
    ):
        yield Open(running, model, store)


async def test_a_question_about_the_rules_is_answered_from_the_articles(tmp_path: Path) -> None:
    async with opened(tmp_path, desk("question")) as support:
        run = await support.running.run("support", "Returning items: within how many days of delivery?")
        assert (run.state, run.result) == ("completed", "Here is the answer.")
        assert len(support.model.calls) == 2
        assert "within 30 days" in text_of(support.actor())
        assert support.actor().tools == ()


async def test_a_question_in_chinese_finds_the_chinese_articles(tmp_path: Path) -> None:
    async with opened(tmp_path, desk("question")) as support:
        await support.running.run("support", "信用卡退款要多久？")  # noqa: RUF001 - Chinese punctuation
        assert "5至7个工作日" in text_of(support.actor())
        assert "business days" not in text_of(support.actor())


async def test_an_order_is_looked_up_without_asking_a_model(tmp_path: Path) -> None:
    parcel = order("processed")
    async with opened(tmp_path, desk("order")) as support:
        await support.running.run("support", f"Where is {parcel['order_id']}? I am {email(parcel)}.")
        assert parcel["fulfillments"][0]["tracking_id"][0] in text_of(support.actor())


async def test_a_cancellation_is_carried_out_once_after_a_person_approved_exactly_that(
    tmp_path: Path,
) -> None:
    wanted = {"order_id": order("pending")["order_id"], "reason": "no longer needed"}
    async with opened(tmp_path, desk("cancel", [tool_call("cancel_pending_order", **wanted)])) as support:
        text = f"Cancel {wanted['order_id']}, I no longer need it. {email(order('pending'))}. I confirm."
        run = await support.running.run("support", text)
        assert run.state == "waiting"
        assert read_effects(support.store, "default") == ()
        action = await support.approve()
        run = await support.running.runs.get(run.id)
    assert action == {"server": "store", "tool": "cancel_pending_order", "arguments": wanted}
    assert run.state == "completed"
    (effect,) = read_effects(support.store, "default")
    assert (effect.tool, json.loads(effect.arguments)) == ("cancel_pending_order", wanted)
    assert export_database(support.store, "default")["orders"][wanted["order_id"]]["status"] == "cancelled"
    assert [tool["function"]["name"] for tool in support.actor().tools] == ["cancel_pending_order"]


async def test_where_the_status_forbids_it_nobody_has_the_tool(tmp_path: Path) -> None:
    delivered = order("delivered")
    script = desk("cancel", [tool_call("cancel_pending_order", order_id=delivered["order_id"], reason="no")])
    async with opened(tmp_path, script) as support:
        run = await support.running.run(
            "support", f"Cancel {delivered['order_id']}, {email(delivered)}. I confirm."
        )
        assert (run.state, run.result) == ("completed", "That is not possible.")
        assert '"delivered"' in text_of(support.actor())
        assert read_effects(support.store, "default") == ()


async def test_no_model_ever_sees_the_order_of_somebody_else(tmp_path: Path) -> None:
    theirs, mine = order("pending"), order("delivered")
    assert theirs["user_id"] != mine["user_id"]
    async with opened(tmp_path, desk("cancel")) as support:
        run = await support.running.run("support", f"Cancel {theirs['order_id']}. I am {email(mine)}.")
        assert run.state == "completed"
        seen = "\n".join(text_of(call) for call in support.model.calls)
    assert theirs["user_id"] not in seen
    assert all(line["name"] not in seen for line in theirs["items"])


@pytest.mark.parametrize(
    ("kind", "comment", "result"),
    [
        ("approve", "", "Here is the answer."),
        ("approve", "Well said.", "Here is the answer."),
        ("reject", "Not so.", "The manager's words."),
        ("respond", "It is 31 days.", "The manager's words."),
    ],
)
async def test_a_reviewed_answer_is_the_managers_word(
    tmp_path: Path, kind: str, comment: str, result: str
) -> None:
    async with opened(tmp_path, desk("question")) as support:
        run = await support.running.run(
            "support_reviewed", "Returning items: within how many days of delivery?"
        )
        assert run.state == "waiting"
        await support.approve(kind, comment)
        run = await support.running.runs.get(run.id)
        assert (run.state, run.result) == ("completed", result)


async def test_knowledge_is_loaded_once(tmp_path: Path) -> None:
    async with await Database.open(f"sqlite:///{tmp_path}/proctor.db") as database:
        knowledge = Knowledge(database, KnowledgeSettings(embeddings="none"))
        first = await load_knowledge(knowledge, SHOP["products"].values())
        again = await load_knowledge(knowledge, SHOP["products"].values())
        found = await knowledge.search("support", "product id of the hammock")
    assert first == Changes(stored=again.unchanged)
    assert again.stored == 0
    assert "product id" in found[0].text


def test_the_shops_server_starts_without_autogen() -> None:
    code = "import sys, proctor.deployments.support.shop; print('autogen_core' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"


# The demo itself, on an endpoint that plays the model.


def plays(wishes: dict[str, str]) -> Callable[[Body], Response]:
    """A model that finds wishes by words, calls what it is offered, and repeats what it read."""

    def reply(body: Body) -> Response:
        read = "\n".join(str(message["content"]) for message in body["messages"][1:])
        if body.get("response_format"):
            wish = next((wish for words, wish in wishes.items() if words in read), "question")
            return says(completion(json.dumps({"query": "", "wish": wish})))(body)
        if body.get("tools") and body["messages"][-1]["role"] != "tool":
            reason = (
                "ordered by mistake"
                if "mistake" in read.rpartition("# The customer")[2]
                else "no longer needed"
            )
            arguments = {"order_id": "#W" + read.partition("#W")[2][:7], "reason": reason}
            call = {"id": "c", "type": "function", "function": {"name": "cancel_pending_order"}}
            call["function"]["arguments"] = json.dumps(arguments)  # type: ignore[index]
            return says(completion(None, tool_calls=[call], finish_reason="tool_calls"))(body)
        return says(completion(read if wishes else "I don't know."))(body)

    return reply


async def demo(folder: Path, wishes: dict[str, str]) -> tuple[int | None, dict, str]:
    with serving(plays(wishes)) as endpoint:
        config = folder / "models.toml"
        config.write_text(
            f'[models.small]\nmodel = "fake"\nbase_url = "{endpoint.url}"\n'
            "price = { input = 1, output = 1 }\noptions = { temperature = 0 }\n"
        )
        command = ["-m", "proctor.deployments.support.demo", "--json", "--config", str(config)]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *command, "--folder", str(folder / "demo")), stdout=-1, stderr=-1
        )
        async with asyncio.timeout(100):
            out, shown = await process.communicate()
        assert all(body["temperature"] == 0 for body in endpoint.bodies)
        return process.returncode, json.loads(out), shown.decode()


async def test_the_demo_ends_well_where_the_answers_agree_with_the_data(tmp_path: Path) -> None:
    code, report, shown = await demo(tmp_path, {"ancel": "cancel", "racking": "order"})
    assert (code, report["ok"], report["right"]) == (0, True, 6), shown
    assert [question["verdict"] for question in report["questions"]].count("approved") == 1
    assert report["questions"][-1]["state"] == "refused"
    assert report["questions"][0]["cost_usd"] > 0
    assert "6 of 6 right" in shown


@pytest.mark.slow
async def test_the_demo_fails_where_they_do_not(tmp_path: Path) -> None:
    code, report, shown = await demo(tmp_path, {})
    assert (code, report["ok"]) == (1, False)
    assert report["questions"][0]["faults"] == ["the answer lacks 30"]
    assert report["questions"][3]["faults"][0] == "0 writes were executed, not 1"
    assert "Traceback" not in shown


def test_the_example_configures_the_desk() -> None:
    file = Path(__file__).parents[2] / "docs" / "examples" / "support.toml"
    settings = proctor.load_settings(file, environ={}).settings
    app = load_app(settings.app)
    assert set(app.teams) == {"support", "support_reviewed"} > set(settings.teams)
    assert (set(settings.models), set(settings.tools)) == ({"small"}, {"store"})
