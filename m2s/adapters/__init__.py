"""Floor 2: the outside world. Each room is unaware of the others."""
