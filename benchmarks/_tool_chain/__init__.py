"""What the benchmark of the tool chain is made of."""
