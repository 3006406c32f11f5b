"""Honest figures: roll-ups, attribution, lift with its interval."""
