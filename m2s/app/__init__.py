"""Floor 1: use cases. One module per verb, one transaction per call; knows ports, never adapters."""
