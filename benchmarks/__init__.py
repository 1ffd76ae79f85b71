"""What Proctor costs and withstands, measured: each module is a program that prints its figures and whether they hold."""
