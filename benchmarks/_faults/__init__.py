"""Faults of every kind, made on purpose in one branch of a team, and what comes of each."""
