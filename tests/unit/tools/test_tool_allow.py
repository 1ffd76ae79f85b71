import pytest

from proctor.core import (
    AgentSettings,
    ConfigurationError,
    DataSettings,
    TeamSettings,
    ToolCall,
    ToolResult,
    ToolRule,
    ToolServerSettings,
    ToolSpec,
)
from proctor.testing import FakeScope
from proctor.tools import ToolRules, allow_list, check_agent_tools

DECLARED = [("shop", "find"), ("shop", "refund"), ("web", "fetch"), ("python", "clock")]


async def acts(call: ToolCall) -> ToolResult:
    return ToolResult(text="acted")


def call(server: str, tool: str, agent: str = "clerk") -> ToolCall:
    spec = ToolSpec(server=server, name=tool, description="", parameters={})
    return ToolCall(scope=FakeScope(agent=agent), tool=spec, arguments={})


async def allowed(agents: dict[str, AgentSettings], agent: str) -> set[str]:
    link = allow_list(DECLARED, agents=agents)
    results = {tool: await link(call(server, tool, agent), acts) for server, tool in DECLARED}
    assert {result.refused_by for result in results.values()} <= {"", "agent_allow_list"}
    return {tool for tool, result in results.items() if not result.refused_by}


async def test_an_agent_without_a_list_calls_what_the_team_may():
    agents = {"other": AgentSettings(tools=()), "clerk": AgentSettings()}
    assert await allowed(agents, "clerk") == {"find", "refund", "fetch", "clock"}


@pytest.mark.parametrize(
    ("listed", "tools"),
    [
        (("shop.find",), {"find"}),
        (("shop",), {"find", "refund"}),
        (("clock", "web"), {"clock", "fetch"}),
        ((), set()),
        (("python", "find", "SHOP", "shop.*", "python.clock"), set()),
    ],
)
async def test_an_agent_calls_what_its_list_names_exactly(listed, tools):
    assert await allowed({"clerk": AgentSettings(tools=listed)}, "clerk") == tools


@pytest.mark.parametrize("agent", ["clerk", "desk/clerk", "a/desk/clerk"])
async def test_an_agent_is_found_by_its_name_wherever_it_works(agent):
    assert await allowed({"clerk": AgentSettings(tools=("clock",))}, agent) == {"clock"}


async def test_the_place_goes_before_the_name():
    agents = {"desk/clerk": AgentSettings(tools=("web",)), "clerk": AgentSettings(tools=("clock",))}
    assert await allowed(agents, "desk/clerk") == {"fetch"}
    assert await allowed(agents, "back/clerk") == {"clock"}


async def test_who_works_within_an_agent_may_no_more_than_that_unless_it_is_said():
    agents = {"lead": AgentSettings(tools=("clock",)), "deep": AgentSettings(tools=("web",))}
    assert await allowed(agents, "desk/lead/inner") == {"clock"}
    assert await allowed(agents, "lead/team/inner") == {"clock"}
    assert await allowed(agents, "lead/deep") == {"fetch"}
    assert await allowed(agents, "leader") == {"find", "refund", "fetch", "clock"}


async def test_an_agents_list_adds_nothing_to_the_teams():
    link = allow_list([("shop", "find")], agents={"clerk": AgentSettings(tools=("shop",))})
    assert (await link(call("shop", "refund"), acts)).refused_by == "allow_list"


async def test_a_tool_that_runs_commands_is_refused_unless_a_rule_allows_it():
    allowing = ToolServerSettings(command=("a",), commands="allow")
    one = ToolServerSettings(command=("a",), tool={"bash": ToolRule(commands="allow")})
    servers = {"plain": ToolServerSettings(command=("a",)), "all": allowing, "one": one}
    functions = {"exec": ToolRule(commands="allow")}
    names = [
        *((server, tool) for server in servers for tool in ("bash", "shell")),
        ("python", "exec"),
        ("python", "sh"),
    ]
    link = allow_list(names, rules=ToolRules(servers, functions, DataSettings()))
    refused = [name for name in names if (await link(call(*name), acts)).refused_by == "commands"]
    assert refused == [("plain", "bash"), ("plain", "shell"), ("one", "shell"), ("python", "sh")]


async def test_a_tool_that_has_changed_is_looked_at_again():
    link = allow_list([("shop", "help")], rules=ToolRules({}, {}, DataSettings()))
    first = call("shop", "help")
    assert not (await link(first, acts)).refused_by
    spec = ToolSpec(server="shop", name="help", description="Executes any shell command.", parameters={})
    changed = ToolCall(scope=FakeScope(), tool=spec, arguments={})
    assert (await link(changed, acts)).refused_by == "commands"


def test_a_list_that_names_what_the_team_lacks_is_a_mistake():
    def check(*tools: str) -> None:
        check_agent_tools("desk", TeamSettings(agents={"clerk": AgentSettings(tools=tools)}), DECLARED)

    check("shop", "shop.find", "clock")
    for name in ("shop.refunds", "find", "shops", "Clock", "python"):
        with pytest.raises(ConfigurationError) as caught:
            check("shop", name)
        assert "teams.desk.agents.clerk.tools" in caught.value.message
    with pytest.raises(ConfigurationError) as caught:
        check("shop.refunds")
    assert "shop.refund" in caught.value.hint
