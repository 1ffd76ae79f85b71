"""Data, training, peers and figures of `benchmarks.router`."""
