"""Parts of `benchmarks.anomalies`."""
