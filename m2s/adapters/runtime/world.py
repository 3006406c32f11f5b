"""What may a simulation replace? Time, names, and where console channels print."""

import sys
from dataclasses import dataclass
from typing import Self, TextIO

from m2s.adapters.runtime.clock import SystemClock
from m2s.adapters.runtime.ids import SystemIds
from m2s.core.base.ids import Ids
from m2s.core.base.instants import Clock


@dataclass(frozen=True, slots=True)
class World:
    """What the service is run in."""

    clock: Clock
    ids: Ids
    out: TextIO

    @classmethod
    def real(cls) -> Self:
        """The system's clock, unguessable ids, standard output."""
        clock = SystemClock()
        return cls(clock, SystemIds(clock), sys.stdout)
