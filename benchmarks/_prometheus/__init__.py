"""Parts of `benchmarks.prometheus`: the programs, the processes under load, and the journal's truth."""
