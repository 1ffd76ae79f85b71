"""A tool server that fails in eight ways, and what becomes of the calls."""
