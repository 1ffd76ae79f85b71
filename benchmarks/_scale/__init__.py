"""The parts of `benchmarks.scale` and `benchmarks.soak`: servers, measured processes, and figures of them."""
