"""What the security table is made of."""
