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


class DeliveryObserver(Protocol):
    """Counts what becomes of messages."""

    def call(self, channel: str, result: str, *, took_s: float) -> None:
        """One call of a channel has ended."""
        ...

    def settled(self, channel: str, state: str) -> None:
        """One message has come to a state other than `planned`."""
        ...

    def maybe_doubled(self, channel: str, messages: int) -> None:
        """Messages that may have been sent will be sent again under the same id."""
        ...

    def maybe_lost(self, channel: str, messages: int) -> None:
        """Of messages that may not have been sent nobody will ever know."""
        ...

    def held_up(self, channel: str, provider: str, *, troubled: bool, misconfigured: bool) -> None:
        """How a provider is after a call; without a name where its channel has but one."""
        ...


class CallbackObserver(Protocol):
    """Counts what SMS providers tell."""

    def receipt(self, provider: str, verdict: str) -> None:
        """One receipt was kept: `new`, `repeated`, or of a message that is `unknown`."""
        ...

    def moved(self, state: str) -> None:
        """One message has come to a state by receipts."""
        ...

    def reply(self, provider: str, word: str) -> None:
        """One reply was heard: `stop`, `start`, `help`, `hours`, or `other`."""
        ...
