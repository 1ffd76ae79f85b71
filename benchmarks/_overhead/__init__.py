"""The parts of `benchmarks.overhead`: the work, the contenders that do it, and the figures made of it."""
