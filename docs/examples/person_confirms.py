"""Pattern 3: a person confirms. The run waits for the answer as one row in the database, for days if need be.

`proctor approvals list` shows the question, `proctor approvals decide ID --approve` continues the run.
"""

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat

import proctor

app = proctor.App()


@app.team("confirmed")
def confirmed(ctx: proctor.TeamContext) -> RoundRobinGroupChat:
    """The writer writes until the manager approves, at most three times."""
    writer = AssistantAgent("writer", model_client=ctx.model("small"))
    return RoundRobinGroupChat(
        [writer, ctx.human("manager")],
        termination_condition=TextMentionTermination("APPROVE", sources=["manager"])
        | MaxMessageTermination(7),
    )
