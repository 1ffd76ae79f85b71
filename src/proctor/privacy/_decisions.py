"""What becomes of each table where a subject is erased. A test refuses a table of which nothing is said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from proctor.core import Kept

Fate: TypeAlias = Literal["deleted", "emptied", "renamed", "kept"]
"""`deleted`: the subject's rows go. `emptied`: they stay without texts. `renamed`: a mark stands in the place
of the name. `kept`: the table holds nothing on a subject, or the law or the books need it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What becomes of a table's rows."""

    fate: Fate
    why: str
    kept_as: Kept | None = None
    """The class whose floor and ceiling hold for them."""


def _deleted(why: str, kept_as: Kept | None = None) -> Decided:
    return Decided(fate="deleted", why=why, kept_as=kept_as)


def _emptied(why: str, kept_as: Kept | None = None) -> Decided:
    return Decided(fate="emptied", why=why, kept_as=kept_as)


def _renamed(why: str, kept_as: Kept | None = None) -> Decided:
    return Decided(fate="renamed", why=why, kept_as=kept_as)


def _kept(why: str) -> Decided:
    return Decided(fate="kept", why=why)


DECISIONS: Mapping[str, Decided] = {
    "runs": _emptied("task, answer and error go; ids, times and costs are what the books rest on", "runs"),
    "calls": _deleted("requests and answers in full; what they cost is noted in the run's log", "journal"),
    "blobs": _deleted("large values of the journal to which no other run refers", "journal"),
    "events": _deleted("messages and arguments in full; one that tells what was paid stays", "events"),
    "lost_attempts": _kept("numbers of attempts and names of workers"),
    "threads": _kept("ids and numbers of messages; no text and no name"),
    "thread_states": _deleted("what agents remember of every conversation with the subject", "memory"),
    "approvals": _emptied("question, action, conversation, comment; that it was decided stays", "approvals"),
    "approval_votes": _emptied("comments go; who of the staff decided proves that a person did", "approvals"),
    "approval_delegations": _kept("names of staff who handed a decision on"),
    "standing_approvals": _deleted(
        "those given in the subject's runs bear arguments of their calls", "approvals"
    ),
    "notices": _emptied("what a mail server complained of; the rest is ids and roles", "approvals"),
    "links": _deleted("links to decide on the subject's matters bear a hash of the action", "approvals"),
    "schedules": _deleted("orders of the subject to run a team by the clock, with their texts"),
    "batch_requests": _emptied(
        "texts go at once, the row when its money is booked; the provider's copy is the provider's", "journal"
    ),
    "batches": _kept("ids, times and numbers of requests"),
    "cached_answers": _deleted(
        "answers to the subject's calls, with question and vector; all of a tenant's from before these were "
        "noted; other workers drop theirs within minutes",
        "caches",
    ),
    "knowledge_sources": _deleted("documents that are tagged with the subject", "knowledge"),
    "knowledge_chunks": _deleted("their passages, with full-text index and vectors", "knowledge"),
    "ledger_entries": _renamed("the law demands the books; the payer's name goes, amounts stay"),
    "budget_accounts": _deleted(
        "accounts in the subject's name whose period is over; an open one guards its limit till then"
    ),
    "budget_pieces": _kept("parts of open accounts that workers hold; they end with the worker"),
    "budget_grants": _kept("amounts that staff added, by run; a user's account bears the user's name"),
    "budgets": _kept("rules that operators set"),
    "budgets_in_force": _kept("names of budgets and since when they hold"),
    "storage_sizes": _deleted("sizes of runs, which are measured anew"),
    "ledger_audits": _kept("days and numbers of differences"),
    "model_rates": _kept("instants, by deployment"),
    "tool_pins": _kept("what tools say of themselves, before any run"),
    "degradations": _kept("levels of the system and why"),
    "degradation_holds": _kept("levels that operators hold and why"),
    "degradation_standings": _kept("levels by worker"),
    "alerts": _kept("names of teams and rules, numbers, ids of runs"),
    "alert_windows": _kept("numbers by team and minute, for two days"),
    "alert_hours": _kept("numbers by team and hour"),
    "alert_steps": _kept("minutes that were looked at"),
    "alert_tellings": _kept("ids of alerts that people were told of, and numbers"),
    "alert_silences": _kept("who of the staff silenced what, and why"),
    "workers": _kept("processes and machines"),
    "writers": _kept("numbers of transactions"),
    "consents": _renamed(
        "that there was a consent must be shown (article 7 (1)); a mark shows it", "consents"
    ),
    "privacy_holds": _renamed("released holds lose name and reason; one that holds stops the erasure"),
    "tombstones": _kept("they tell of erasures and hold no name"),
    "vault": _deleted("values behind tokens"),
    "audit_entries": _kept("who of the staff did what to which id; a subject stands there as a mark"),
    "audit_head": _kept("a number and a hash"),
    "findings": _kept("ids, and words of ours on what doesn't agree"),
    "inspections": _kept("days and numbers of findings"),
    "access_keys": _kept("names of programs and of staff whose keys they are; a hash in the place of a key"),
    "access_sessions": _kept("names of staff who are signed in; gone soon after their sessions' end"),
    "access_setups": _kept("a hash of the token of the first start"),
    "repeats": _kept("ids, keys of requests and a digest of each, for a day"),
    "privacy_keys": _deleted("the key of the subject's values: without it no copy of them can be read"),
}
