"""How is work done that is committed many items at a time? The contract between the writer and who handles groups."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from m2s.app.ports import Records

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class GroupResult(Generic[Answer]):
    """One answer per item of a group, in order; `publish` makes its changes seen in memory after the commit."""

    answers: list[Answer]
    publish: Callable[[], None]


class GroupHandler(Protocol[Item, Answer]):
    """Work that is committed many items at a time.

    A group that fails is rolled back and its items are tried one by one; an item that still fails is split,
    and a part that fails alone is refused, so that it costs its neighbours nothing.
    """

    def weight(self, item: Item) -> int:
        """How much of a group's room an item takes."""
        ...

    def process(self, records: Records, items: Sequence[Item]) -> GroupResult[Answer]: ...

    def split(self, item: Item) -> list[Item]:
        """The item's parts; at most one where it cannot be split."""
        ...

    def join(self, item: Item, answers: Sequence[Answer]) -> Answer:
        """The item's answer from those of its parts."""
        ...

    def refuse(self, records: Records, item: Item, error: Exception) -> GroupResult[Answer]:
        """The one answer for a part that cannot be processed; what is kept of it has a transaction of its own."""
        ...
