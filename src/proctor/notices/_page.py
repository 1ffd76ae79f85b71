"""The page behind a decision link: it shows the action, and only its form decides.

Mail scanners and chat rooms fetch every address that they see, so a GET changes nothing. The page holds no
script, loads nothing from elsewhere, is never stored and tells nobody where it was.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from html import escape
from string import Template
from typing import Protocol
from urllib.parse import parse_qs

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from proctor.core import (
    Clock,
    Conflict,
    Decision,
    DecisionKind,
    Forbidden,
    ForgedLink,
    InvalidInput,
    LinkSpent,
    NotFound,
    ProctorError,
    Unavailable,
)
from proctor.notices._links import ALLOWED, Link, LinkKey, use
from proctor.notices._notices import Find
from proctor.notices._texts import facts, one_line, sections, visible, what
from proctor.notices._values import Language, Matter
from proctor.notices._words import WORDS, Words
from proctor.store import Database

LONGEST_FORM = 32_768
"""Bytes."""
LONGEST_COMMENT = 4_000
"""Characters."""


class Decide(Protocol):
    """Decides an approval, and does `also` in the same transaction, before. `link_of`: the link's role."""

    def __call__(
        self, approval_id: str, decision: Decision, *, also: Callable[[Connection], None], link_of: str
    ) -> Awaitable[object]:
        """The decided approval."""


class DecisionPage:
    """The page of all links of one database."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        key: LinkKey,
        find: Find,
        decide: Decide,
        languages: dict[str, Language],
    ) -> None:
        self._database = database
        self._clock = clock
        self._key = key
        self._find = find
        self._decide = decide
        self._languages = languages
        """Of the roles."""

    @property
    def route(self) -> Route:
        """Where the page is: `/decide/TOKEN`."""
        return Route("/decide/{token}", self._answer, methods=["GET", "POST"])

    async def _answer(self, request: Request) -> Response:
        words = WORDS["en"]
        try:
            link, matter = await self._database.read(
                lambda connection: self._open(connection, request.path_params["token"])
            )
            words = self._words(link)
            if request.method == "POST":
                return await self._take(request, link, words)
            return _html(words.title, _question(matter, link, words), words)
        except (NotFound, Conflict, Forbidden, InvalidInput, Unavailable) as error:
            return _refusal(error, words)

    def _open(self, connection: Connection, token: str) -> tuple[Link, Matter]:
        """The link and its question, where both are open.

        Raises:
            NotFound: there is no such link.
            Conflict: it can't be used (any more).
        """
        link = self._key.find(connection, token)
        if link is None:
            raise NotFound("there is no such link")
        return link, self._check(connection, link)

    def _check(self, connection: Connection, link: Link) -> Matter:
        if not link.usable(self._clock.now()):
            raise LinkSpent("the link was used before, or its time is over")
        matter = self._find(connection, link.approval_id)
        if not matter.waits or matter.digest != link.digest:
            raise LinkSpent("the question was settled or changed")
        return matter

    async def _take(self, request: Request, link: Link, words: Words) -> Response:
        form = await _form(request)
        given = form.get("decision", "")
        kind = next((kind for kind in ALLOWED if kind == given and kind in link.allowed), None)
        comment = form.get("comment", "").strip()
        if kind is None or len(comment) > LONGEST_COMMENT:
            raise InvalidInput("the form is incomplete, or too long")

        def also(connection: Connection) -> None:
            self._check(connection, link)
            use(connection, link, self._clock.now())

        await self._decide(link.approval_id, _decision(kind, comment, link), also=also, link_of=link.role)
        text = words.approved if kind == "approve" else words.rejected
        return _tell(200, words.done_title, f"{text} {words.again}", words)

    def _words(self, link: Link) -> Words:
        return WORDS[self._languages.get(link.role, "en")]


def _refusal(error: ProctorError, words: Words) -> Response:
    """What can't be done, in words that give nothing of the question away."""
    match error:
        case NotFound():
            status, title, text = 404, words.unknown_title, words.unknown
        case ForgedLink():
            status, title, text = 403, words.forged_title, words.forged
        case Forbidden():
            status, title, text = 403, words.forbidden_title, words.forbidden
        case InvalidInput():
            status, title, text = 400, words.wrong_title, words.wrong
        case Unavailable():
            status, title, text = 503, words.later_title, words.later
        case _:
            status, title, text = 410, words.spent_title, words.spent
    return _tell(status, title, text, words)


def _decision(kind: DecisionKind, comment: str, link: Link) -> Decision:
    return Decision(kind=kind, comment=comment, by=link.voter, digest=link.digest)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, each once.

    Raises:
        InvalidInput: it is too long, or can't be read.
    """
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_FORM:
            raise InvalidInput("the form is too long")
    try:
        fields = parse_qs(body.decode(), strict_parsing=bool(body), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise InvalidInput("the form can't be read") from None
    return {name: values[-1] for name, values in fields.items()}


def _question(matter: Matter, link: Link, words: Words) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts(matter, words))
    return _QUESTION.substitute(
        what=_text(what(matter, words)),
        rows=rows,
        review=f"<p>{escape(words.review)}</p>" if matter.answer is not None else "",
        sections="".join(_section(name, content) for name, content in sections(matter, words)),
        comment=escape(words.comment),
        hint=escape(words.comment_hint if matter.answer is None else words.answer_hint),
        longest=LONGEST_COMMENT,
        approve=escape(words.approve),
        reject=escape(words.reject),
        votes_as=escape(words.votes_as),
        voter=_text(link.voter),
    )


def _section(name: str, content: str | Sequence[str]) -> str:
    if isinstance(content, str):
        return f"<h2>{escape(name)}</h2><pre>{escape(visible(content))}</pre>"
    return f"<h2>{escape(name)}</h2><ul>{''.join(f'<li>{_text(item)}</li>' for item in content)}</ul>"


def _text(value: str) -> str:
    return escape(one_line(value))


def _tell(status: int, title: str, text: str, words: Words) -> Response:
    return _html(title, f"<p>{escape(text)}</p>", words, status)


def _html(title: str, body: str, words: Words, status: int = 200) -> Response:
    page = _PAGE.substitute(lang=words.language, title=escape(title), style=_STYLE, body=body)
    return HTMLResponse(page, status_code=status, headers=_HEADERS)


_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8881; --go: #15703a; --stop: #a4262c; }
* { box-sizing: border-box; }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText; }
main { max-width: 46rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
header { font-size: .8rem; letter-spacing: .08em; text-transform: uppercase; opacity: .65; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .25rem 0 1.5rem; overflow-wrap: anywhere; }
h2 { font-size: .9rem; margin: 1.75rem 0 .5rem; opacity: .75; }
.what { font-size: 1.15rem; font-weight: 600; margin: -1rem 0 1.5rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: 0; }
dt { opacity: .7; }
dd { margin: 0; overflow-wrap: anywhere; }
ul { margin: 0; padding-left: 1.25rem; }
pre { margin: 0; padding: .85rem 1rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--soft); font: .875rem/1.5 ui-monospace, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; max-height: 28rem; overflow-y: auto; }
form { margin-top: 2rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
label { font-weight: 600; }
small { opacity: .7; }
textarea { display: block; width: 100%; margin: .4rem 0 1.25rem; padding: .6rem .75rem; font: inherit;
  color: inherit; background: Field; border: 1px solid var(--line); border-radius: .5rem; resize: vertical; }
.answers { display: flex; gap: .75rem; flex-wrap: wrap; margin-bottom: 1rem; }
button { flex: 1 1 9rem; padding: .7rem 1rem; font: inherit; font-weight: 600; border-radius: .5rem;
  border: 1px solid var(--stop); color: var(--stop); background: Canvas; cursor: pointer; }
button.go { color: #fff; background: var(--go); border-color: var(--go); }
button:focus-visible, textarea:focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
@media (prefers-color-scheme: dark) { :root { --go: #1d8348; --stop: #ff8a80; } }
"""

_PAGE = Template(
    '<!doctype html><html lang="$lang"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    "<title>$title · Proctor</title><style>$style</style></head>"
    "<body><main><header>Proctor</header><h1>$title</h1>$body</main></body></html>\n"
)

_QUESTION = Template(
    '<p class="what">$what</p><dl>$rows</dl>$review$sections'
    '<form method="post"><label for="comment">$comment</label> <small>$hint</small>'
    '<textarea id="comment" name="comment" rows="3" maxlength="$longest"></textarea>'
    '<div class="answers"><button class="go" name="decision" value="approve">$approve</button>'
    '<button name="decision" value="reject">$reject</button></div>'
    "<small>$votes_as <strong>$voter</strong>.</small></form>"
)

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}
