"""The record of who decided, changed, saw or overrode what. Knows no run and no tool."""

from proctor.audit._append import append
from proctor.audit._export import Export, export, verify_export
from proctor.audit._heads import Head, Heads, head_of, read_heads, sign, stands
from proctor.audit._keys import Signer, load_signer, make_key
from proctor.audit._reading import Deeds, Wanted, deeds, newest, page
from proctor.audit._tables import audit_entries, audit_head
from proctor.audit._values import Entry
from proctor.audit._verify import Fault, FaultKind, Position, Verified, hold_still, verify

__all__ = [
    "Deeds",
    "Entry",
    "Export",
    "Fault",
    "FaultKind",
    "Head",
    "Heads",
    "Position",
    "Signer",
    "Verified",
    "Wanted",
    "append",
    "audit_entries",
    "audit_head",
    "deeds",
    "export",
    "head_of",
    "hold_still",
    "load_signer",
    "make_key",
    "newest",
    "page",
    "read_heads",
    "sign",
    "stands",
    "verify",
    "verify_export",
]
