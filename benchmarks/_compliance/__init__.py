"""Texts, training and figures of the checks on advice and on dark patterns."""
