"""Recorded tasks of a support desk, carried out by a scripted team through the whole runtime."""
