"""What is an adapter made of beside its options? And what can be found out about one without sending?"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

import httpx2
from pydantic import BaseModel, ConfigDict

from m2s.adapters.channels.wire import Line, Wire
from m2s.app.callbacks import Heard
from m2s.app.channel import ChannelAdapter
from m2s.app.doctor import Finding
from m2s.core.base.instants import Clock


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every adapter may use: the wire, the time, a stream to print to, and who hears what providers tell."""

    wire: Wire
    clock: Clock
    out: TextIO
    hear: Callable[[str, Heard], object] | None = None


class Options(BaseModel):
    """The options of an adapter, as they stand under `[channels.NAME]`. No value is repeated in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ServedOptions(Options):
    """The options of an adapter that speaks to a server over HTTP."""

    ca_file: Path | None = None
    """Certificates to trust in the place of the system's, for a server of your own."""


class CheckedAdapter(ChannelAdapter, Protocol):
    """A channel that can say whether it would work."""

    def check(self) -> Finding:
        """Looks at keys, obtains tokens and makes connections; sends nothing to anybody."""
        ...


def connected(wire: Wire, line: Line, url: str) -> Finding:
    """The check of an adapter of which no more can be known without sending: a connection is made, and closed."""
    host = httpx2.URL(url).host
    flaw = wire.run(lambda until: line.reach(url, until=until))
    if flaw is None:
        return Finding(True, f"{host} takes connections")
    return Finding(False, f"{host} takes no connection: {flaw}", "look at the address, then at the network")
