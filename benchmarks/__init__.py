"""What Proctor costs and withstands, measured: programs that print their figures and whether they hold."""
