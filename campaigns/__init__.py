"""Deciding: offers written in YAML, and for each occasion a decision with its trace. Pure; knows nothing of the service."""
