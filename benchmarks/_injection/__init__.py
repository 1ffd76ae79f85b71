"""The parts of the benchmark of injections."""
