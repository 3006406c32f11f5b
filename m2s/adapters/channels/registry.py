"""Which adapter carries which channel? One line per adapter; the settings choose."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from m2s.adapters.channels.apns import ApnsChannel, ApnsOptions
from m2s.adapters.channels.console import ConsoleChannel
from m2s.adapters.channels.fcm import FcmChannel, FcmOptions
from m2s.adapters.channels.gateway import GatewayChannel, GatewayOptions
from m2s.adapters.channels.gateway_callbacks import listener as gateway_listener
from m2s.adapters.channels.ovh import OvhChannel, OvhOptions
from m2s.adapters.channels.ovh_callbacks import listener as ovh_listener
from m2s.adapters.channels.platforms import ByPlatform
from m2s.adapters.channels.smpp import SmppChannel, SmppOptions
from m2s.adapters.channels.smpp_callbacks import hear as smpp_hear
from m2s.adapters.channels.surroundings import CheckedAdapter, Options
from m2s.adapters.channels.surroundings import Surroundings as Surroundings
from m2s.adapters.channels.twilio import TwilioChannel, TwilioOptions
from m2s.adapters.channels.twilio_callbacks import listener as twilio_listener
from m2s.adapters.channels.webhook import WebhookChannel, WebhookOptions
from m2s.adapters.channels.wire import Wire as Wire
from m2s.app.callbacks import Listener
from m2s.app.channel import ChannelAdapter
from m2s.app.doctor import Finding
from m2s.core.base.errors import Invalid, M2sError, Problem


@dataclass(frozen=True, slots=True)
class Kind:
    """An adapter: the options that it takes, how it is made of them, and the channels that it can carry.

    `listens` makes what understands the provider's own requests, where the options say that it makes any.
    """

    options: type[Options]
    make: Callable[[Any, Surroundings], CheckedAdapter]
    carries: tuple[str, ...]
    listens: Callable[[Any], Listener | None] = lambda _: None


ADAPTERS: Mapping[str, Kind] = {
    "console": Kind(Options, lambda _, given: ConsoleChannel(given.out), ("push", "sms")),
    "fcm": Kind(FcmOptions, lambda o, g: FcmChannel(o, wire=g.wire, clock=g.clock), ("push",)),
    "apns": Kind(ApnsOptions, lambda o, g: ApnsChannel(o, wire=g.wire, clock=g.clock), ("push",)),
    "twilio": Kind(
        TwilioOptions, lambda o, g: TwilioChannel(o, wire=g.wire, clock=g.clock), ("sms",), twilio_listener
    ),
    "ovh": Kind(OvhOptions, lambda o, g: OvhChannel(o, wire=g.wire, clock=g.clock), ("sms",), ovh_listener),
    "smpp": Kind(
        SmppOptions, lambda o, g: SmppChannel(o, wire=g.wire, clock=g.clock, hear=smpp_hear(g)), ("sms",)
    ),
    "gateway": Kind(
        GatewayOptions, lambda o, g: GatewayChannel(o, wire=g.wire, clock=g.clock), ("sms",), gateway_listener
    ),
    "webhook": Kind(WebhookOptions, lambda o, g: WebhookChannel(o, wire=g.wire, clock=g.clock), ("webhook",)),
}


def build(
    channels: Mapping[str, str | Mapping[str, str]],
    options: Mapping[str, Mapping[str, Any]],
    given: Surroundings,
) -> dict[str, ChannelAdapter]:
    """The adapter of each channel.

    `channels` names an adapter per channel (`{"push": "console"}`), or one per platform
    (`{"push": {"ios": "apns", "android": "fcm"}}`); `options` holds the options of each adapter by its name. Raises
    Invalid for an adapter that does not exist and for options that are missing or wrong.
    """
    for name in options:
        _kind(name, f"channels.{name}")
    made: dict[str, ChannelAdapter] = {}

    def adapter(channel: str, name: str) -> ChannelAdapter:
        if channel not in _kind(name, f"channel {channel!r}").carries:
            able = ", ".join(sorted(other for other, kind in ADAPTERS.items() if channel in kind.carries))
            raise Invalid(f"channel {channel!r}: the adapter {name!r} cannot carry it; these can: {able}")
        if name not in made:
            made[name] = _made(name, options, given)
        return made[name]

    return {
        channel: adapter(channel, names)
        if isinstance(names, str)
        else ByPlatform({platform: adapter(channel, name) for platform, name in names.items()}, names)
        for channel, names in channels.items()
    }


def check(
    channels: Mapping[str, str | Mapping[str, str]],
    options: Mapping[str, Mapping[str, Any]],
    given: Surroundings,
) -> Iterator[tuple[str, Finding]]:
    """What is found of the channels as a whole, then, without sending, of each adapter that has options.

    An adapter that carries no channel yet is looked at, too, and outside of production as well.
    """
    yield "channels", _whole(channels, options, given)
    with closing(Wire(loopback_only=False)) as free:
        for name in options:
            try:
                yield name, _made(name, options, replace(given, wire=free)).check()
            except M2sError as error:
                yield name, Finding(False, error.detail, "mend it in m2s.toml")
        given.wire.ahead = free.ahead


def listeners(options: Mapping[str, Mapping[str, Any]]) -> dict[str, Listener]:
    """The listener of each provider that has a section, also of one that carries no channel now: STOP may still come.

    A section that cannot be read is left out: where it carries a channel, the service does not start with it.
    """
    made = {}
    for name, chosen in options.items():
        with suppress(ValidationError):
            kind = _kind(name, f"channels.{name}")
            listener = kind.listens(kind.options.model_validate(dict(chosen)))
            if listener is not None:
                made[name] = listener
    return made


def _whole(
    channels: Mapping[str, str | Mapping[str, str]],
    options: Mapping[str, Mapping[str, Any]],
    given: Surroundings,
) -> Finding:
    try:
        build(channels, options, given)
    except M2sError as error:
        return Finding(False, error.detail, "mend it in m2s.toml")
    told = {
        channel: names if isinstance(names, str) else ", ".join(f"{p}: {name}" for p, name in names.items())
        for channel, names in channels.items()
    }
    return Finding(True, "; ".join(f"{channel} by {adapter}" for channel, adapter in told.items()) or "none")


def _made(name: str, options: Mapping[str, Mapping[str, Any]], given: Surroundings) -> CheckedAdapter:
    kind = _kind(name, f"channels.{name}")
    try:
        chosen = kind.options.model_validate(dict(options.get(name, {})))
    except ValidationError as error:
        raise _told(name, kind, error) from None
    return kind.make(chosen, given)


def _kind(name: str, where: str) -> Kind:
    if name not in ADAPTERS:
        raise Invalid(f"{where}: there is no adapter {name!r}; there are: {', '.join(sorted(ADAPTERS))}")
    return ADAPTERS[name]


def _told(name: str, kind: Kind, error: ValidationError) -> Invalid:
    """Every option that is missing, unknown or wrong, by its name and never with its value."""
    problems = []
    for found in error.errors(include_input=False, include_context=False):
        path = ".".join(str(part) for part in found["loc"])
        words = {"missing": "it is missing", "extra_forbidden": _unknown(kind)}
        detail = words.get(found["type"], found["msg"].removeprefix("Value error, "))
        problems.append(Problem(f"channels.{name}.{path}".rstrip("."), "bad_setting", detail))
    return Invalid("; ".join(f"{p.pointer}: {p.detail}" for p in problems), problems=problems)


def _unknown(kind: Kind) -> str:
    known = ", ".join(kind.options.model_fields)
    return f"there is no such option; there are: {known}" if known else "it takes no options"
