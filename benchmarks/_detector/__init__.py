"""How the injection detector is trained and measured."""
