"""Is this 128-bit key among ten million? An exact set that only grows: compact, a whole group at once, no pause."""

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Keys = NDArray[np.int64] | NDArray[np.uint64]

MOST_KEYS = 2**32 - 1
_SLOTS = 16
_KEYS_PER_BUCKET = 5
"""How full buckets are in the mean. Those not split yet hold up to twice as many: above 6 many would spill."""
_FIRST_BITS = 14
_SPLIT_BUCKETS = 256
"""As many buckets are split at a time: a tiny part of the work of the 1 280 keys that make it necessary."""
_SPILLED_BYTES = 200


class IdSet:
    """At most `most` keys, each given as two halves of 64 bits; both are compared, so an answer is never wrong.

    The high halves have to be spread evenly (they are hashes): if they are not, it is slow, not wrong. A call
    takes some 300 bytes a key for as long as it runs, so very long ones are better cut into thousands.

    Keys stand in the order of their coming, from position 1 on. The index is a table of buckets with 16 slots; a
    slot holds 16 bits of a key's high half, its tag, and its position, 0 where the slot is free. Linear hashing:
    the table grows at its end by splitting a few buckets at a time, so no call has to copy what is there. The
    bits that tell twins apart are those of the tag. What a full bucket cannot take is spilled until the bucket
    is split. Arrays are made for `most` keys at once, but the system gives memory only to what is written:
    `nbytes`, 36 bytes a key.
    """

    def __init__(self, most: int) -> None:
        if not 0 < most <= MOST_KEYS:
            raise ValueError(f"a set of at most {most} keys: give 1 to {MOST_KEYS}")
        self._most = most
        self._count = 0
        self._keys = np.zeros((most + 1, 2), np.int64)
        self._round = 1 << _FIRST_BITS
        self._split = 0
        room = self._round + most // _KEYS_PER_BUCKET + _SPLIT_BUCKETS
        self._tags = np.zeros((room, _SLOTS), np.uint16)
        self._positions = np.zeros((room, _SLOTS), np.uint32)
        self._spills = np.zeros(room, np.bool_)
        self._spilled: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """About how much memory is in use."""
        spilled = sum(map(len, self._spilled.values()))
        return 16 * self._count + (6 * _SLOTS + 1) * (self._round + self._split) + _SPILLED_BYTES * spilled

    def contains(self, high: Keys, low: Keys) -> Bools:
        """Which of these keys were added."""
        high, low = high.view(np.int64), low.view(np.int64)
        buckets = self._bucket_of(high)
        alike = np.flatnonzero(self._tags.take(buckets, axis=0) == _tag_of(high)[:, np.newaxis])
        asked = alike // _SLOTS
        positions = self._positions.ravel().take(buckets.take(asked) * _SLOTS + alike % _SLOTS)
        if self._spilled and (spills := self._spills.take(buckets)).any():
            more = [
                (at, kept) for at in np.flatnonzero(spills).tolist() for kept in self._spilled[buckets[at]]
            ]
            asked = np.concatenate((asked, [at for at, _ in more]))
            positions = np.concatenate((positions, [kept for _, kept in more]))
        found = np.zeros(len(high), np.bool_)
        if len(asked):
            kept = self._keys.take(positions, axis=0)
            same = (kept[:, 0] == high.take(asked)) & (kept[:, 1] == low.take(asked))
            # A free slot looks like a key with tag 0 at position 0.
            found[asked[same & (positions > 0)]] = True
        return found

    def add(self, high: Keys, low: Keys) -> None:
        """Adds keys that are not contained yet and distinct; one given twice is counted and kept twice.

        Raises ValueError, and adds nothing, if there would be more than `most`.
        """
        if self._count + len(high) > self._most:
            raise ValueError(
                f"{len(high)} keys more than {self._count} are over the {self._most} of this set"
            )
        high = high.view(np.int64)
        positions = np.arange(self._count + 1, self._count + len(high) + 1)
        self._count += len(high)
        new = self._keys[self._count - len(high) + 1 : self._count + 1]
        new[:, 0], new[:, 1] = high, low.view(np.int64)
        while (self._round + self._split) * _KEYS_PER_BUCKET < self._count:
            self._split_some()
        self._place(high, positions)

    def _bucket_of(self, high: Ints) -> Ints:
        """A bucket that is split in this round is told from its twin by one bit more."""
        buckets = high & (2 * self._round - 1)
        buckets -= self._round * (buckets >= self._round + self._split)
        return buckets

    def _place(self, high: Ints, positions: Ints) -> None:
        buckets, tags = self._bucket_of(high), _tag_of(high)
        all_tags, all_positions = self._tags.ravel(), self._positions.ravel()
        while True:
            free = np.packbits(self._positions.take(buckets, axis=0) == 0, bitorder="little").view("<u2")
            # The zeros below the lowest bit: the first free slot, or _SLOTS if there is none.
            slots = np.bitwise_count(~free & free - 1)
            room = slots < _SLOTS
            if not room.all():
                self._spill(buckets[~room], positions[~room])
                slots, buckets, tags, positions = slots[room], buckets[room], tags[room], positions[room]
            at = buckets * _SLOTS + slots
            all_tags[at] = tags
            all_positions[at] = positions
            # Of those that chose the same slot the last has it; the others choose again.
            lost = all_positions.take(at) != positions
            if not lost.any():
                return
            buckets, tags, positions = buckets[lost], tags[lost], positions[lost]

    def _spill(self, buckets: Ints, positions: Ints) -> None:
        self._spills[buckets] = True
        for bucket, position in zip(buckets.tolist(), positions.tolist(), strict=True):
            self._spilled.setdefault(bucket, []).append(position)

    def _split_some(self) -> None:
        """Splits the next buckets: those of their keys that have the round's bit go to twins at the table's end."""
        these = slice(self._split, self._split + _SPLIT_BUCKETS)
        twins = slice(self._round + these.start, self._round + these.stop)
        goes = self._tags[these] >> (self._round.bit_length() - 1 - _FIRST_BITS) & 1
        for table in (self._tags, self._positions):
            table[twins] = table[these] * goes
            table[these] -= table[twins]
        self._split += _SPLIT_BUCKETS
        if self._split == self._round:
            self._round, self._split = 2 * self._round, 0
        spilled = np.flatnonzero(self._spills[these])
        if len(spilled):
            self._spills[these] = False
            again = [
                kept for bucket in (spilled + these.start).tolist() for kept in self._spilled.pop(bucket)
            ]
            self._place(self._keys[again, 0], np.array(again))


def _tag_of(high: Ints) -> NDArray[np.uint16]:
    return (high >> _FIRST_BITS).astype(np.uint16)
