"""What the benchmark of ways to a denied tool is made of."""
