"""How many messages has a shopper had, or will have? Rates over sliding windows of elapsed time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from campaigns.facts import PastOffer, PressureRule
from campaigns.model import Channel, Rate
from campaigns.problems import shown, suggestion
from campaigns.values import BadValueError, rate

_UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)))
_BY, _TAGGED = " by ", " tagged "


def count_in_window(past: Sequence[datetime], now: datetime, *, window: timedelta) -> int:
    """How many instants are less than a window away from now, those included for which a message is planned already."""
    first, last = now - window, now + window
    return sum(first < at < last for at in past)


def tightest(
    past: Sequence[PastOffer],
    now: datetime,
    *,
    rules: Sequence[PressureRule],
    channel: Channel | None,
    tags: frozenset[str],
) -> tuple[PressureRule, int] | None:
    """Of the rules that hold for a message by a channel, of a campaign with these tags, the one that leaves the fewest
    messages (the first of equals), and its count; None without such rules."""
    found, fewest = None, 0
    for rule in rules:
        if (rule.channel is None or rule.channel == channel) and (rule.tag is None or rule.tag in tags):
            weighing = [one.at for one in past if _weighs(one, rule)]
            count = count_in_window(weighing, now, window=rule.window)
            if found is None or rule.rate.count - count < fewest:
                found, fewest = (rule, count), rule.rate.count - count
    return found


def pressure_rule(text: str) -> PressureRule:
    """What a house writes, e.g. `2 per 7d`, `1 per 7d by sms` or `1 per 30d tagged promo`.

    Raises BadValueError with the right form.
    """
    if _TAGGED in text:
        written, _, tag = text.partition(_TAGGED)
        if not tag.strip():
            raise BadValueError(f"{shown(text)} names no tag", "write for example 1 per 30d tagged promo")
        return PressureRule(rate(written), tag=tag.strip())
    written, _, name = text.partition(_BY)
    if not name:
        return PressureRule(rate(written))
    if name.strip() not in {channel.value for channel in Channel}:
        near = suggestion(name.strip(), [channel.value for channel in Channel])
        raise BadValueError(f"{shown(name.strip())} is no channel", near or "write push, sms or webhook")
    return PressureRule(rate(written), channel=Channel(name.strip()))


def rule_text(rule: PressureRule) -> str:
    """A rule as the house writes it."""
    by = f"{_BY}{rule.channel}" if rule.channel else ""
    return f"{rate_text(rule.rate)}{by}{f'{_TAGGED}{rule.tag}' if rule.tag else ''}"


@lru_cache(maxsize=1_024)
def rate_text(rate: Rate) -> str:
    """A rate as the YAML writes it, e.g. `1 per 3d`."""
    for letter, unit in _UNITS:
        if not rate.window % unit:
            return f"{rate.count} per {rate.window // unit}{letter}"
    return f"{rate.count} per {rate.window.total_seconds():g}s"


def _weighs(past: PastOffer, rule: PressureRule) -> bool:
    return (rule.channel is None or past.channel == rule.channel) and (
        rule.tag is None or rule.tag in past.tags
    )
