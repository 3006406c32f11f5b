"""Which adapter carries which channel? One line per adapter; the settings choose."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TextIO

from m2s.adapters.channels.console import ConsoleChannel
from m2s.adapters.channels.webhook import WebhookChannel
from m2s.app.channel import ChannelAdapter
from m2s.core.base.errors import Invalid
from m2s.core.base.instants import Clock


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an adapter is made of: its channel, its options, the time, and a stream to print to."""

    channel: str
    options: Mapping[str, str]
    clock: Clock
    out: TextIO

    def option(self, name: str) -> str:
        """An option that the adapter cannot do without. Raises Invalid where it is missing."""
        value = self.options.get(name)
        if not value:
            raise Invalid(f"channel {self.channel!r}: its adapter needs {name!r} in the settings")
        return value


ADAPTERS: Mapping[str, Callable[[Surroundings], ChannelAdapter]] = {
    "console": lambda given: ConsoleChannel(given.out),
    "webhook": lambda given: WebhookChannel(given.option("url"), given.option("secret"), clock=given.clock),
}


def build(
    channels: Mapping[str, str], options: Mapping[str, Mapping[str, str]], *, clock: Clock, out: TextIO
) -> dict[str, ChannelAdapter]:
    """The adapter of each channel.

    `channels` names an adapter per channel (`{"push": "console"}`), `options` holds the options of each
    adapter by its name. Raises Invalid for an adapter that does not exist and for options that are missing or wrong.
    """
    built = {}
    for channel, name in channels.items():
        if name not in ADAPTERS:
            known = ", ".join(sorted(ADAPTERS))
            raise Invalid(f"channel {channel!r}: there is no adapter {name!r}; there are: {known}")
        built[channel] = ADAPTERS[name](Surroundings(channel, options.get(name, {}), clock, out))
    return built
