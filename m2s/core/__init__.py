"""Floor 0: the rules. No I/O, no clock, no randomness that is not passed in."""
