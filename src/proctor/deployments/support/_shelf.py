"""The help articles, the shop's policy and its catalogue, where the agents can look things up."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated

from pydantic import Field

from proctor import Proctor
from proctor.core import canonical_json
from proctor.deployments.support._case import CATALOGUE
from proctor.deployments.support.shop import Product
from proctor.knowledge import Changes, Document, Knowledge

COLLECTION = "support"
_HAN = re.compile("[\u4e00-\u9fff]")
_PER_LANGUAGE = 3
"""Passages are looked up in every language and given in one: this many times as many are looked at."""


def language_of(text: str) -> str:
    """`zh` for a text with Chinese characters, else `en`: the languages of the articles."""
    return "zh" if _HAN.search(text) else "en"


def article(name: str) -> str:
    """The text of a help article, such as `returns.en`."""
    return files(__package__).joinpath("articles", f"{name}.md").read_text(encoding="utf-8")


async def load_knowledge(knowledge: Knowledge, products: Iterable[Product] = ()) -> Changes:
    """What became of the articles and of the catalogue; what is there already costs a look only."""
    return await knowledge.add(COLLECTION, [*_articles(), *map(_entry, products)])


class Shelf:
    """The knowledge base of one application while that is open."""

    def __init__(self) -> None:
        self._knowledge: Knowledge | None = None

    @asynccontextmanager
    async def opened(self, running: Proctor) -> AsyncIterator[None]:
        """Looks things up in the application's own database."""
        self._knowledge = running.knowledge
        self._loading, self._loaded = asyncio.Lock(), False
        yield
        self._knowledge = None

    async def search_knowledge(
        self,
        query: str,
        language: Annotated[str, Field(description="`en` or `zh`.")] = "en",
        limit: Annotated[int, Field(ge=1, le=10)] = 3,
    ) -> str:
        """Searches the help articles, the shop's policy and the catalogue."""
        assert self._knowledge is not None, "the application is not open"
        async with self._loading:
            if not self._loaded:
                await load_knowledge(self._knowledge)
                self._loaded = True
        found = await self._knowledge.search(COLLECTION, query, limit=limit * _PER_LANGUAGE)
        other = ".en" if language == "zh" else ".zh"
        passages = [passage for passage in found if not passage.source.endswith(other)][:limit]
        return canonical_json(
            [{"source": each.source, "title": each.title, "text": each.text} for each in passages]
        )


def _articles() -> Iterator[Document]:
    for file in sorted(files(__package__).joinpath("articles").iterdir(), key=lambda each: each.name):
        name = file.name.removesuffix(".md")
        text = file.read_text(encoding="utf-8")
        yield Document(name=name, text=text, language=name.rpartition(".")[2])


def _entry(product: Product) -> Document:
    """A product type in the catalogue; what is available stands in the shop's database alone."""
    variants = product["variants"].values()
    prices = [variant["price"] for variant in variants]
    options: dict[str, list[str]] = {}
    for variant in variants:
        for name, value in variant["options"].items():
            values = options.setdefault(name, [])
            if value not in values:
                values.append(value)
    choices = "; ".join(f"{name}: {', '.join(sorted(values))}" for name, values in options.items())
    text = (
        f"# {product['name']}\n{product['name']}, product id {product['product_id']}: {len(prices)} variants "
        f"from ${min(prices):.2f} to ${max(prices):.2f}. {choices}."
    )
    return Document(name=f"{CATALOGUE}{product['product_id']}", text=text)
