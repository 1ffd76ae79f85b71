"""A tool server that fails in seven ways, and what becomes of the calls."""
