"""When will an offer be made, by its own days and hours and the law together? Said before it runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from campaigns import calendars, sendlaw
from campaigns.laws import Profile, law_of, window_text
from campaigns.model import WEEKDAYS, At, Campaign, Holidays, Hours, Offer
from campaigns.schedule import MINUTES_A_DAY, local_text, occurrences

_ALL_DAY = (Hours(0, MINUTES_A_DAY),)
_OUTLOOK = timedelta(days=366)
_MOST_NAMED = 6
_Spans = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Ground:
    """Where stores are, for the law and the calendar: time zone, country, subdivision."""

    tz: str
    country: str
    subdivision: str | None


def forbidden(
    campaign: Campaign, offer: Offer, grounds: Sequence[Ground], *, now: datetime, default_law: str
) -> list[str]:
    """Sentences on what the law keeps an offer from, at places of stores; `never` where nothing is left of it."""
    return [
        sentence
        for ground in grounds
        for sentence in _at(campaign, offer, ground, now=now, law=law_of(ground.country, default=default_law))
    ]


def shared_minutes(one: Offer, other: Offer) -> int:
    """How many minutes of a week both offers are made in, by their own days and hours."""
    total = 0
    for day in range(7):
        total += sum(
            max(0, min(until, end) - max(since, start))
            for since, until in _on_day(one, day)
            for start, end in _on_day(other, day)
        )
    return total


def _at(campaign: Campaign, offer: Offer, ground: Ground, *, now: datetime, law: Profile) -> Iterator[str]:
    dates = _dates(campaign, offer, now.date())
    if dates is None:
        yield f"{offer.id}: its dates are over, so it can never send"
        return
    if isinstance(offer.trigger, At):
        yield from _scheduled(campaign, offer, ground, law=law, dates=dates, now=now)
        return
    left = shut = 0
    told = []
    for day in sorted(offer.when.days):
        own = _on_day(offer, day)
        allowed = _lawful(law, day)
        kept = sum(max(0, min(u, e) - max(s, b)) for s, u in own for b, e in allowed)
        minutes = sum(until - since for since, until in own)
        left, shut = left + kept, shut + minutes - kept
        if kept < minutes and offer.when.hours:
            told.append(WEEKDAYS[day])
    if not left:
        yield f"{offer.id} can never send in {ground.country}: {law.name} allows {window_text(law.name)}"
        return
    if told:
        yield (
            f"{offer.id}: on {', '.join(told)} part of its hours is outside {law.name} ({window_text(law.name)}), "
            "so nothing is sent then"
        )
    elif shut:
        yield f"{offer.id}: {law.name} allows {window_text(law.name)}, so nothing is sent at other times"
    yield from _on_holidays(offer, ground, law=law, dates=dates)


def _on_holidays(offer: Offer, ground: Ground, *, law: Profile, dates: tuple[date, date]) -> Iterator[str]:
    if not law.on_holidays and offer.when.holidays is not Holidays.SKIP:
        names = _holidays(ground, dates)
        if names and offer.when.holidays is Holidays.ONLY:
            yield (
                f"{offer.id} can never send in {ground.country}: it is for public holidays, "
                f"on which {law.name} forbids it"
            )
        elif names:
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            yield f"{offer.id}: nothing is sent on public holidays: {', '.join(names[:_MOST_NAMED])}{more}"


def _scheduled(
    campaign: Campaign,
    offer: Offer,
    ground: Ground,
    *,
    law: Profile,
    dates: tuple[date, date],
    now: datetime,
) -> Iterator[str]:
    assert isinstance(offer.trigger, At)  # noqa: S101
    tz = campaign.timezone or ground.tz
    first = max(now, datetime.combine(dates[0], time(), tzinfo=now.tzinfo) - timedelta(days=1))
    last = datetime.combine(dates[1], time(), tzinfo=now.tzinfo) + timedelta(days=2)
    due = [
        one.due
        for one in occurrences(offer.trigger.moment, tz, start=first, end=last)
        if dates[0] <= one.due.astimezone(now.tzinfo).date() <= dates[1]
    ]
    if not due:
        yield f"{offer.id}: no time of it is within its dates, so it can never send"
        return
    dropped, deferred = [], []
    for at in due:
        opening = sendlaw.next_opening(
            law.name, at, tz=ground.tz, country=ground.country, subdivision=ground.subdivision
        )
        if opening > at + offer.valid_for:
            dropped.append(at)
        elif opening > at:
            deferred.append((at, opening))
    if len(dropped) == len(due):
        yield (
            f"{offer.id} can never send in {ground.country}: {law.name} allows {window_text(law.name)}, "
            "and it is not valid until then"
        )
    elif dropped:
        told = ", ".join(local_text(at, ground.tz) for at in dropped[:_MOST_NAMED])
        yield f"{offer.id}: {len(dropped)} of {len(due)} sends are dropped, as {law.name} forbids them: {told}"
    if deferred:
        at, opening = deferred[0]
        yield (
            f"{offer.id}: {len(deferred)} of {len(due)} sends wait for {law.name}, the first from "
            f"{local_text(at, ground.tz)} to {local_text(opening, ground.tz)} or up to half an hour later"
        )


def _dates(campaign: Campaign, offer: Offer, today: date) -> tuple[date, date] | None:
    """The days that are left, at most a year; None where none is."""
    first = max([today, *(one for one in (campaign.since, offer.since) if one is not None)])
    last = min([first + _OUTLOOK, *(one for one in (campaign.until, offer.until) if one is not None)])
    return (first, last) if first <= last else None


def _holidays(ground: Ground, dates: tuple[date, date]) -> list[str]:
    years = range(dates[0].year, dates[1].year + 1)
    found = {
        day: name
        for year in years
        for day, name in calendars.public_holidays(
            ground.country, ground.subdivision, tz=ground.tz, year=year
        ).items()
        if dates[0] <= day <= dates[1]
    }
    return [f"{day} ({found[day]})" for day in sorted(found)]


def _on_day(offer: Offer, day: int) -> _Spans:
    """The offer's own minutes of a weekday; what passes midnight belongs in part to the day after."""
    spans = []
    hours = offer.when.hours or _ALL_DAY
    if day in offer.when.days:
        spans += [(span.since, min(span.until, MINUTES_A_DAY)) for span in hours]
    if (day - 1) % 7 in offer.when.days:
        spans += [(0, span.until - MINUTES_A_DAY) for span in hours if span.until > MINUTES_A_DAY]
    return spans


def _lawful(law: Profile, day: int) -> _Spans:
    if day not in law.weekdays:
        return []
    return [(_minute(opens), _minute(closes)) for opens, closes in law.hours]


def _minute(clock: time) -> int:
    return clock.hour * 60 + clock.minute
