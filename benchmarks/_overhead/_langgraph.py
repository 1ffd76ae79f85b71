"""LangGraph with its SQLite checkpointer, as both come: the leanest graph that does the work, compiled once.

`durability` is left at its default (`async`: a step's checkpoint is written while the next step runs), and
the database is set as the checkpointer sets it: WAL, with SQLite's own default for `synchronous`, which is
FULL. Every run is a thread of its own.
"""

import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite  # type: ignore[import-not-found]
from langchain_core.messages import SystemMessage  # type: ignore[import-not-found]
from langchain_core.tools import tool  # type: ignore[import-not-found]
from langchain_openai import ChatOpenAI  # type: ignore[import-not-found]
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver  # type: ignore[import-not-found]
from langgraph.graph import START, MessagesState, StateGraph  # type: ignore[import-not-found]
from langgraph.prebuilt import ToolNode, tools_condition  # type: ignore[import-not-found]

from benchmarks._overhead._worker import serve
from benchmarks._overhead._workload import INSTRUCTIONS, MODEL, WITH_TOOL, order_status


class CountedConnection(sqlite3.Connection):
    """A connection that counts its commits."""

    commits = 0

    def commit(self) -> None:
        """Commits."""
        CountedConnection.commits += 1
        super().commit()


class LangGraph:
    """Two compiled graphs over one checkpointer."""

    def __init__(self, url: str, saver: AsyncSqliteSaver) -> None:
        self._saver = saver
        self._model = ChatOpenAI(model=MODEL, base_url=url, api_key="none")
        self._one_call = self._compile([])
        self._with_tool = self._compile([tool(order_status)])

    def _compile(self, tools: list[Any]) -> Any:
        model = self._model.bind_tools(tools) if tools else self._model

        async def clerk(state: MessagesState) -> dict[str, Any]:
            return {"messages": [await model.ainvoke([SystemMessage(INSTRUCTIONS), *state["messages"]])]}

        graph = StateGraph(MessagesState)
        graph.add_node("clerk", clerk)
        graph.add_edge(START, "clerk")
        if tools:
            graph.add_node("tools", ToolNode(tools))
            graph.add_conditional_edges("clerk", tools_condition)
            graph.add_edge("tools", "clerk")
        return graph.compile(checkpointer=self._saver)

    @property
    def commits(self) -> int:
        """Commits of the checkpointer's connection."""
        return CountedConnection.commits

    async def run(self, scenario: str, task: str) -> str:
        """The answer of one run."""
        graph = self._with_tool if scenario in WITH_TOOL else self._one_call
        thread = {"configurable": {"thread_id": uuid.uuid4().hex}}
        state = await graph.ainvoke({"messages": [("user", task)]}, thread)
        return str(state["messages"][-1].content)


@asynccontextmanager
async def open_langgraph(url: str, folder: Path) -> AsyncIterator[LangGraph]:
    """LangGraph, ready to run."""
    # As AsyncSqliteSaver.from_conn_string opens it, but for the counting.
    async with aiosqlite.connect(folder / "langgraph.db", factory=CountedConnection) as connection:
        saver = AsyncSqliteSaver(connection)
        await saver.setup()
        yield LangGraph(url, saver)


if __name__ == "__main__":
    serve(
        open_langgraph, "langgraph", "langgraph-checkpoint-sqlite", "langchain-openai", "openai", "pydantic"
    )
