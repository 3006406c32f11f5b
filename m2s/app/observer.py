"""What is counted of the service, for those who operate it? A protocol; the metrics fulfil it."""

from typing import Protocol


class Observer(Protocol):
    """Counts what happens, for those who operate the service."""

    def decision(self, outcome: str) -> None:
        """One decision was made and committed."""
        ...

    def visit(self, event: str) -> None:
        """One event of a visit was committed."""
        ...

    def commit(self, seconds: float, *, sightings: int) -> None:
        """One group was processed and committed."""
        ...

    def out_of_range(self, *, too_old: int, too_new: int) -> None:
        """Sightings were rejected for their time."""
        ...

    def dead_letter(self) -> None:
        """A sighting could not be processed."""
        ...
