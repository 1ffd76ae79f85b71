import asyncio
from pathlib import Path

from proctor.core import KnowledgeSettings
from proctor.knowledge import Changes, Document, Knowledge
from proctor.store import Database

FULL_TEXT = KnowledgeSettings(embeddings="none")
RETURNS = Document(
    name="returns.md",
    title="Returns",
    language="en",
    text="# Deadlines\n\nUnworn shoes can be sent back within thirty days.\n\n"
    "# Costs\n\nThe parcel label is free.",
)
OPENING = Document(name="hours.md", title="Opening hours", text="Our shops open at nine and close at six.")
REFUND = Document(
    name="退款.md", title="退款规则", language="zh", text="退款会在七个工作日内退回到原来的银行卡。"
)
DELIVERY = Document(name="配送.md", title="配送", language="zh", text="标准配送需要三到五天。")
ALL = (RETURNS, OPENING, REFUND, DELIVERY)


async def test_a_passage_is_found_by_its_words_in_english_and_in_chinese(database: Database) -> None:
    knowledge = Knowledge(database, FULL_TEXT)
    await knowledge.add("shop", ALL)
    english = await knowledge.search("shop", "When do the shops OPEN?")
    chinese = await knowledge.search("shop", "多久能退款到银行卡")
    assert [english[0].source, chinese[0].source] == ["hours.md", "退款.md"]
    assert english[0].found_by == chinese[0].found_by == ("full_text",)
    assert english[0].score == 1


async def test_a_passage_carries_the_title_and_the_heading_above_it(database: Database) -> None:
    knowledge = Knowledge(database, FULL_TEXT)
    await knowledge.add("shop", ALL)
    (passage, *_) = await knowledge.search("shop", "who pays the parcel label", limit=1)
    assert (passage.title, passage.text) == ("Returns › Costs", "The parcel label is free.")  # noqa: RUF001


async def test_a_passage_is_found_by_its_meaning_where_no_word_agrees(database: Database) -> None:
    knowledge = Knowledge(database, KnowledgeSettings())
    await knowledge.add("shop", ALL)
    (best, *_) = await knowledge.search("shop", "我可以退鞋吗")
    (other, *_) = await knowledge.search("shop", "footwear refund policy period", limit=1)
    assert (best.source, best.found_by[-1]) == ("returns.md", "embeddings")
    assert other.source == "returns.md"
    assert knowledge.searches_by == ("full_text", "embeddings")


async def test_without_embeddings_knowledge_says_that_it_searches_by_full_text_alone(
    database: Database,
) -> None:
    assert Knowledge(database, FULL_TEXT).searches_by == ("full_text",)


async def test_collections_do_not_see_each_other(database: Database) -> None:
    knowledge = Knowledge(database, KnowledgeSettings())
    await knowledge.add("shop", [OPENING])
    await knowledge.add("bank", [REFUND])
    assert {passage.source for passage in await knowledge.search("bank", "shops open 退款")} == {"退款.md"}
    assert await knowledge.search("nothing", "shops open") == ()


async def test_unchanged_documents_are_skipped_and_changed_ones_are_replaced(database: Database) -> None:
    knowledge = Knowledge(database, FULL_TEXT)
    assert await knowledge.add("shop", ALL) == Changes(stored=4)
    moved = Document(name="hours.md", title="Opening hours", text="We open at ten.")
    assert await knowledge.add("shop", [*ALL[2:], moved]) == Changes(stored=1, unchanged=2)
    found = await knowledge.search("shop", "opening hours")
    assert [passage.text for passage in found] == ["We open at ten."]


async def test_replacing_a_collection_drops_the_documents_that_are_gone(database: Database) -> None:
    knowledge = Knowledge(database, KnowledgeSettings())
    await knowledge.add("shop", ALL)
    assert await knowledge.replace("shop", ALL[:2]) == Changes(unchanged=2, dropped=2)
    assert {passage.source for passage in await knowledge.search("shop", "退款", limit=9)} <= {
        "returns.md",
        "hours.md",
    }


async def test_what_another_process_adds_is_found(database: Database) -> None:
    mine, theirs = (Knowledge(database, KnowledgeSettings()) for _ in range(2))
    await mine.add("shop", [OPENING])
    assert len(await mine.search("shop", "七个工作日")) == 1
    await theirs.add("shop", [REFUND])
    assert (await mine.search("shop", "七个工作日"))[0].source == "退款.md"


async def test_the_same_documents_can_be_added_from_two_sides_at_once(database: Database) -> None:
    knowledge = [Knowledge(database, FULL_TEXT) for _ in range(2)]
    async with asyncio.timeout(20):
        await asyncio.gather(*(each.add("shop", ALL) for each in knowledge))
    assert len(await knowledge[0].search("shop", "shops open nine")) == 1


async def test_a_query_of_signs_or_of_thousands_of_words_is_no_error(database: Database) -> None:
    knowledge = Knowledge(database, FULL_TEXT)
    await knowledge.add("shop", ALL)
    assert await knowledge.search("shop", "") == ()
    assert await knowledge.search("shop", '"? * ( : -') == ()
    assert await knowledge.search("shop", 'NEAR("shops" OR *) AND : ^')
    assert await knowledge.search("shop", "shops " * 5000)


async def test_a_long_document_becomes_passages_that_each_end_with_a_sentence(database: Database) -> None:
    knowledge = Knowledge(database, FULL_TEXT)
    text = " ".join(f"Sentence number{number} speaks of rules." for number in range(200))
    await knowledge.add("shop", [Document(name="long", text=text)])
    found = await knowledge.search("shop", "number150 speaks rules", limit=50)
    assert "number150 " in found[0].text
    assert all(len(passage.text) <= 800 and passage.text.endswith(".") for passage in found)
    assert sum(passage.text.count("Sentence") for passage in found) == 200


async def test_headings_inside_code_are_code(database: Database, tmp_path: Path) -> None:
    knowledge = Knowledge(database, FULL_TEXT)
    text = "## Setup\n\n```sh\n# not a heading\nmake\n```\n\n### Then\n\nrun it\n\n# Other\n\nmore"
    await knowledge.add("shop", [Document(name="code", text=text)])
    titles = {passage.title for passage in await knowledge.search("shop", "heading run more")}
    assert titles == {"Setup", "Setup › Then", "Other"}  # noqa: RUF001
