"""The parts of `benchmarks.telemetry`."""
