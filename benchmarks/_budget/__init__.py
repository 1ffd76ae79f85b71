"""Parts of `benchmarks.budget`."""
