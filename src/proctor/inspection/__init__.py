"""Inspections: the books, the approvals and the policies held against the journal, by the clock."""

from proctor.inspection._filing import page
from proctor.inspection._inspector import Inspected, Inspector
from proctor.inspection._report import Part, Report, part_of, report
from proctor.inspection._tables import findings, inspections
from proctor.inspection._values import ADVICE, Filed, Finding, FindingKind, Period, Rules, Severity

__all__ = [
    "ADVICE",
    "Filed",
    "Finding",
    "FindingKind",
    "Inspected",
    "Inspector",
    "Part",
    "Period",
    "Report",
    "Rules",
    "Severity",
    "findings",
    "inspections",
    "page",
    "part_of",
    "report",
]
