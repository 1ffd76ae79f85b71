"""What teams can look up: documents in collections.

A collection belongs to the platform or to one tenant: that of a tenant is called `TENANT/COLLECTION` by the
code that searches it. Who belongs to a tenant meets its collections alone.
"""

from asyncio import to_thread
from operator import attrgetter
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from proctor.access import Principal
from proctor.api._caller import Operator, Running, Viewer
from proctor.api._pages import Limit, Page, page_of
from proctor.api._platform import tenant_for, tenant_of
from proctor.api._texts import STORABLE, LongText, Sent, Shown, Storable, TenantWanted, Whole
from proctor.app import Proctor
from proctor.core import NotFound, check_tenant
from proctor.knowledge import Document, FoundBy, Knowledge

router = APIRouter(tags=["knowledge"])

Collection: TypeAlias = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$", description="The collection's name.")
]
DocumentName: TypeAlias = Annotated[
    Storable, Field(min_length=1, max_length=500, description="A path, an address or an id.")
]
Behind: TypeAlias = Annotated[
    str, Query(max_length=500, pattern=STORABLE, description="The `next` of the page before.")
]


class NewDocument(Sent):
    """A document to look things up in. Markdown headings are understood."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "docs/hours.md", "text": "# Opening hours\n\nFrom nine."}]}
    )
    name: DocumentName
    text: LongText
    title: Storable = Field(default="", max_length=500)
    language: Storable = Field(default="", max_length=35, description="A language tag such as `en`.")
    subject: Storable = Field(default="", max_length=200, description="The person whom it is about.")
    purpose: Storable = Field(default="", max_length=64, description="What it is kept for.")


class Kept(BaseModel):
    """What became of a document."""

    outcome: str = Field(description="`stored`, `unchanged`, or `refused` by the policy.")
    suspected: bool = Field(description="It may give orders to whoever reads it: a person should look.")


class DocumentLine(Shown):
    """A document that is kept."""

    name: str
    title: str
    language: str
    updated_at: AwareDatetime
    about_a_person: bool


class CollectionLine(BaseModel):
    """A collection, and how many documents it holds."""

    name: str
    tenant: str | None = Field(description="None: the platform's.")
    documents: int


class CollectionList(BaseModel):
    """The collections that there are."""

    collections: list[CollectionLine]
    searched_by: list[FoundBy]


class Sought(Sent):
    """What is looked up."""

    query: Storable = Field(min_length=1, max_length=10_000)
    limit: Whole = Field(default=5, ge=1, le=50)


class FoundPassage(Shown):
    """A piece of a document that answers a query."""

    source: str
    title: str
    text: str
    score: float = Field(description="Orders the passages of one search, and compares with no other.")
    found_by: list[FoundBy]


class Answers(BaseModel):
    """The passages that answer best, the best first."""

    passages: list[FoundPassage]


class Dropped(BaseModel):
    """A document that is gone."""

    name: str


@router.get("/knowledge", summary="List the collections")
async def list_collections(principal: Viewer, proctor: Running, tenant: TenantWanted = "") -> CollectionList:
    """Of one tenant, or of the platform and all tenants."""
    whose, knowledge = tenant_of(principal, tenant), await _knowledge(proctor)
    under = "" if whose is None else f"{whose}/"
    found = await knowledge.collections(under=under)
    return CollectionList(
        collections=[
            _collection(name, documents)
            for name, documents in found.items()
            if whose is None or "/" not in name.removeprefix(under)
        ],
        searched_by=list(knowledge.searches_by),
    )


@router.get("/knowledge/{collection}/documents", summary="List the documents of a collection by name")
async def list_documents(
    *,
    collection: Collection,
    principal: Viewer,
    proctor: Running,
    tenant: TenantWanted = "",
    after: Behind = "",
    limit: Limit = 50,
) -> Page[DocumentLine]:
    """The page behind `after`; an unknown collection is an empty one."""
    knowledge = await _knowledge(proctor)
    name = _whole_name(principal, tenant, collection)
    found = await knowledge.documents(name, after=after, limit=limit + 1)
    return page_of(found, limit, DocumentLine.model_validate, place=attrgetter("name"))


@router.post("/knowledge/{collection}/documents", summary="Put a document, or another in its place")
async def put_document(
    collection: Collection,
    body: NewDocument,
    principal: Operator,
    proctor: Running,
    tenant: TenantWanted = "",
) -> Kept:
    """What became of it: the policy may take something out of it, or keep it out."""
    knowledge = await _knowledge(proctor)
    document = Document(**body.model_dump(), tenant=tenant_for(principal, tenant))
    name = _whole_name(principal, tenant, collection)
    changes = await knowledge.add(name, [document], by=principal.name)
    outcome = "refused" if changes.refused else "stored" if changes.stored else "unchanged"
    return Kept(outcome=outcome, suspected=bool(changes.suspected))


@router.delete("/knowledge/{collection}/documents", summary="Remove a document")
async def drop_document(
    collection: Collection,
    name: Annotated[str, Query(min_length=1, max_length=500, pattern=STORABLE)],
    principal: Operator,
    proctor: Running,
    tenant: TenantWanted = "",
) -> Dropped:
    """The document, which nothing finds any more."""
    knowledge = await _knowledge(proctor)
    if not await knowledge.drop(_whole_name(principal, tenant, collection), name, by=principal.name):
        raise NotFound("the collection has no such document")
    return Dropped(name=name)


@router.post("/knowledge/{collection}/search", summary="Look something up")
async def search(
    collection: Collection, body: Sought, principal: Viewer, proctor: Running, tenant: TenantWanted = ""
) -> Answers:
    """The passages that answer best."""
    knowledge = await _knowledge(proctor)
    found = await knowledge.search(_whole_name(principal, tenant, collection), body.query, limit=body.limit)
    return Answers(passages=[FoundPassage.model_validate(each) for each in found])


async def _knowledge(proctor: Proctor) -> Knowledge:
    return await to_thread(lambda: proctor.knowledge)  # the first time it loads numpy, and weights


def _whole_name(principal: Principal, tenant: str, collection: str) -> str:
    """The name under which the collection is kept. None has a slash in it: whose it is can't be feigned."""
    whose = tenant_of(principal, tenant)
    if whose is None:
        return collection
    check_tenant(whose)
    return f"{whose}/{collection}"


def _collection(name: str, documents: int) -> CollectionLine:
    tenant, _, own = name.rpartition("/")
    return CollectionLine(name=own, tenant=tenant or None, documents=documents)
