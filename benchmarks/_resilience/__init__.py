"""The parts of `benchmarks.resilience`: the work, the provider that fails, and the two that meet it."""
