"""Inspections: the books, the approvals and the policies held against the journal, by the clock."""

__all__: list[str] = []
