"""How a message reaches a phone or another system."""
