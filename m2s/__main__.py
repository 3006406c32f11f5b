"""How does `python -m m2s` start? As the command `m2s` does."""

from m2s.entry.cli.main import main

main()
