"""Knowledge on a real PostgreSQL server finds what it finds on SQLite."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from proctor.core import KnowledgeSettings
from proctor.knowledge import Changes, Document, Knowledge
from proctor.store import Database

DOCUMENTS = [
    Document(
        name="fees", title="Fees", text="A fee is charged for the card. The fee for the card is monthly."
    ),
    Document(name="lost", title="Lost cards", text="A lost card is blocked at once. The new card is free."),
    Document(name="iban", title="Transfers", text="The transfer needs an IBAN. The card is not needed."),
    Document(name="退款", title="退款规则", text="退款会在七个工作日内退回到原来的银行卡。"),
    Document(name="配送", title="配送", text="标准配送需要三到五天。"),
]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with asyncio.timeout(120), await Database.open(database_url) as opened:
        yield opened


@pytest.mark.parametrize(
    ("query", "source"),
    [
        ("the IBAN the card", "iban"),  # the rare word decides, not the frequent ones
        ("lost the the the card", "lost"),
        ("monthly fee", "fees"),
        ("多少个工作日退款", "退款"),
        ("配送几天", "配送"),
    ],
)
async def test_the_rare_word_of_a_question_decides(database: Database, query: str, source: str) -> None:
    knowledge = Knowledge(database, KnowledgeSettings(embeddings="none"))
    await knowledge.add("bank", DOCUMENTS)
    assert (await knowledge.search("bank", query))[0].source == source


async def test_both_searches_work_and_documents_come_and_go(database: Database) -> None:
    knowledge = Knowledge(database, KnowledgeSettings())
    await knowledge.add("bank", DOCUMENTS)
    (best, *_) = await knowledge.search("bank", "我的卡丢了")
    assert (best.source, best.found_by[-1]) == ("lost", "embeddings")
    assert await knowledge.replace("bank", DOCUMENTS[:1]) == Changes(unchanged=1, dropped=4)
    assert [passage.source for passage in await knowledge.search("bank", "lost card")] == ["fees"]


async def test_two_processes_can_fill_one_collection_at_once(database: Database, database_url: str) -> None:
    async with await Database.open(database_url) as other:
        await asyncio.gather(
            *(
                Knowledge(each, KnowledgeSettings(embeddings="none")).add("bank", documents)
                for each, documents in ((database, DOCUMENTS), (other, DOCUMENTS[::-1]))
            )
        )
    found = await Knowledge(database, KnowledgeSettings(embeddings="none")).search("bank", "card", limit=9)
    assert sorted(passage.source for passage in found) == ["fees", "iban", "lost"]


async def test_signs_in_a_query_are_no_syntax(database: Database) -> None:
    knowledge = Knowledge(database, KnowledgeSettings(embeddings="none"))
    await knowledge.add("bank", DOCUMENTS)
    assert await knowledge.search("bank", "'; -- \" & | ! <-> :*") == ()
    assert await knowledge.search("bank", "card' & !lost")
