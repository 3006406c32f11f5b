"""Does a shopper belong to an audience? Each fact as a number or a word at the moment of the decision.

A new fact is one function and one line in `FACTS`.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.audience import Audience, Fact, Predicate, Segment
from campaigns.facts import Case
from campaigns.history import FAVOURITE_WITHIN, REGULAR_DAYS, REGULAR_WITHIN, PastVisit
from campaigns.spans import span_text

_NEAR_THAT_TIME = timedelta(hours=1)
_DAY = timedelta(days=1)


Value = float | str | frozenset[str] | None
"""A fact: a number, a word, words that all hold, or None where it is not known."""


@dataclass(frozen=True, slots=True)
class Miss:
    """What keeps a shopper out of an audience: what is asked, in words, and what was seen."""

    asked: str
    seen: str | float | None


def missed(audience: Audience, case: Case) -> Miss | None:
    """The first thing that keeps the shopper out; None for one who belongs to the audience."""
    miss = _missed_predicate(audience.predicates, case)
    if miss is not None:
        return miss
    if audience.segments and not any(_holds(segment, case) for segment in audience.segments):
        return Miss(f"one of the segments {_names(audience.segments)}", "none of them")
    found = next((segment for segment in audience.not_segments if _holds(segment, case)), None)
    return (
        None if found is None else Miss(f"none of the segments {_names(audience.not_segments)}", found.name)
    )


def value_of(predicate: Predicate, case: Case) -> Value:
    """The fact that a predicate asks for."""
    return FACTS[predicate.fact](predicate, case)


def asked_text(predicate: Predicate) -> str:
    """A predicate in words, e.g. `visits at most 0 within 7 days`."""
    words = [predicate.fact.value.replace("_", " ")]
    if predicate.among:
        words.append(f"{'of' if _is_count(predicate) else 'among'} {', '.join(sorted(predicate.among))}")
    if predicate.here:
        words.append("at this store")
    if predicate.at_least is not None:
        words.append(f"at least {_amount(predicate.fact, predicate.at_least)}")
    if predicate.at_most is not None:
        words.append(f"at most {_amount(predicate.fact, predicate.at_most)}")
    if predicate.within is not None:
        words.append(f"within {span_text(predicate.within.total_seconds())}")
    return " ".join(words)


def audience_text(audience: Audience) -> str:
    """An audience in words."""
    words = [asked_text(predicate) for predicate in audience.predicates]
    if audience.segments:
        words.append(f"one of the segments {_names(audience.segments)}")
    if audience.not_segments:
        words.append(f"none of the segments {_names(audience.not_segments)}")
    return "; ".join(words)


def _missed_predicate(predicates: tuple[Predicate, ...], case: Case) -> Miss | None:
    for predicate in predicates:
        value = value_of(predicate, case)
        if not _met(predicate, value):
            return Miss(asked_text(predicate), _seen(predicate.fact, value))
    return None


def _holds(segment: Segment, case: Case) -> bool:
    return _missed_predicate(segment.predicates, case) is None


def _met(predicate: Predicate, value: Value) -> bool:
    if value is None:
        return False
    if isinstance(value, frozenset):
        return bool(predicate.among & value)
    if isinstance(value, str):
        return value in predicate.among
    if predicate.at_least is not None and value < predicate.at_least:
        return False
    return predicate.at_most is None or value <= predicate.at_most


def _is_count(predicate: Predicate) -> bool:
    return predicate.at_least is not None or predicate.at_most is not None


def _visits(predicate: Predicate, case: Case) -> Value:
    return len(_visits_asked(predicate, case))


def _dwell(predicate: Predicate, case: Case) -> Value:
    stays = [(visit.end_at - visit.start_at).total_seconds() for visit in _visits_asked(predicate, case)]
    return max(stays, default=0.0)


def _last_visit(predicate: Predicate, case: Case) -> Value:
    ends = [visit.end_at for visit in _visits_asked(predicate, case)]
    return (case.now - max(ends)).total_seconds() if ends else None


def _purchases(predicate: Predicate, case: Case) -> Value:
    return sum(
        _asked(predicate, case, at=one.at, store_id=one.store_id) for one in case.shopper.history.purchases
    )


def _bought(predicate: Predicate, case: Case) -> Value:
    return sum(
        one.amount
        for one in case.shopper.history.purchases
        if one.currency in predicate.among and _asked(predicate, case, at=one.at, store_id=one.store_id)
    )


def _redemptions(predicate: Predicate, case: Case) -> Value:
    return sum(
        _asked(predicate, case, at=one.at, store_id=one.store_id) for one in case.shopper.history.redemptions
    )


def _researched(predicate: Predicate, case: Case) -> Value:
    return sum(
        (not predicate.among or one.topic in predicate.among)
        and _asked(predicate, case, at=one.at, store_id=one.store_id)
        for one in case.shopper.history.research
    )


def _distance(_predicate: Predicate, case: Case) -> Value:
    return case.candidate.occasion.distance_m


def _favourite_store(_predicate: Predicate, case: Case) -> Value:
    since = case.now - FAVOURITE_WITHIN
    counts = Counter(visit.store_id for visit in case.shopper.history.visits if visit.end_at > since)
    most = max(counts.values(), default=0)
    return float(most > 0 and counts[case.candidate.store.store_id] == most)


def _regular(_predicate: Predicate, case: Case) -> Value:
    zone = ZoneInfo(case.candidate.store.timezone)
    now, since = case.now.astimezone(zone), case.now - REGULAR_WITHIN
    days = {
        local.date()
        for visit in case.shopper.history.visits
        if visit.store_id == case.candidate.store.store_id and visit.end_at > since
        if _near_in_time_of_day(local := visit.start_at.astimezone(zone), now)
    }
    return float(len(days - {now.date()}) >= REGULAR_DAYS)


def _customers(_predicate: Predicate, case: Case) -> Value:
    return "existing" if case.shopper.history.existing else "new"


def _languages(_predicate: Predicate, case: Case) -> Value:
    language = case.shopper.language
    return None if language is None else language.replace("_", "-").partition("-")[0].lower()


def _home_region(_predicate: Predicate, case: Case) -> Value:
    return case.shopper.history.home_region or None


FACTS: Mapping[Fact, Callable[[Predicate, Case], Value]] = {
    Fact.VISITS: _visits,
    Fact.PURCHASES: _purchases,
    Fact.REDEMPTIONS: _redemptions,
    Fact.RESEARCHED: _researched,
    Fact.BOUGHT: _bought,
    Fact.DWELL: _dwell,
    Fact.LAST_VISIT: _last_visit,
    Fact.DISTANCE: _distance,
    Fact.FAVOURITE_STORE: _favourite_store,
    Fact.REGULAR: _regular,
    Fact.CUSTOMERS: _customers,
    Fact.LANGUAGES: _languages,
    Fact.HOME_REGION: _home_region,
}


def _visits_asked(predicate: Predicate, case: Case) -> list[PastVisit]:
    return [
        visit
        for visit in case.shopper.history.visits
        if _asked(predicate, case, at=visit.end_at, store_id=visit.store_id)
    ]


def _asked(predicate: Predicate, case: Case, *, at: datetime, store_id: str | None) -> bool:
    """Whether something that happened counts: within the window (now - within, now], and here where that is asked."""
    if predicate.here and store_id != case.candidate.store.store_id:
        return False
    return at <= case.now and (predicate.within is None or at > case.now - predicate.within)


def _near_in_time_of_day(one: datetime, other: datetime) -> bool:
    apart = abs(_time_of_day(one) - _time_of_day(other))
    return min(apart, _DAY - apart) <= _NEAR_THAT_TIME


def _time_of_day(local: datetime) -> timedelta:
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)


_IN_SECONDS = frozenset({Fact.DWELL, Fact.LAST_VISIT})


def _seen(fact: Fact, value: Value) -> str | float | None:
    if isinstance(value, frozenset):
        return ", ".join(sorted(value))
    if isinstance(value, float):
        return _amount(fact, value)
    return value


def _amount(fact: Fact, number: float) -> str:
    if fact in _IN_SECONDS:
        return span_text(number)
    if fact is Fact.DISTANCE:
        return f"{number:.0f} m"
    return f"{number:g}"


def _names(segments: tuple[Segment, ...]) -> str:
    return ", ".join(segment.name for segment in segments)
