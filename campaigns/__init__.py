"""Deciding: offers written in YAML, and for each occasion a decision with its trace. Pure, and on its own."""
