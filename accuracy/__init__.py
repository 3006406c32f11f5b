"""Scores what m2s claims against recordings and truth, each claim beside a plain baseline: `python -m accuracy`."""
