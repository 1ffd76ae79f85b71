"""The parts of `benchmarks.api`: the server as a process, those who ask it, and what is made of it."""
