"""Floor 3: doors. They translate and never decide."""
