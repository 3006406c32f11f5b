"""To whom does an offer of a campaign file go? Segments, and what each audience asks of a shopper."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from campaigns import reader_keys as keys
from campaigns.audience import Audience, Fact, Predicate, Segment
from campaigns.model import Money
from campaigns.problems import shown, suggestion
from campaigns.reader_fields import Fields, open_part
from campaigns.reader_nodes import MappingNode, ScalarNode
from campaigns.reader_shapes import One, Part, Several

Segments = Mapping[str, Segment | None]
"""Those that a file names; None for one that is wrong."""


def read_segments(fields: Fields) -> Segments:
    """The segments at the top of a campaign."""
    node = fields.node(keys.SEGMENTS.name)
    if node is None:
        return {}
    if not isinstance(node, MappingNode) or not node.entries:
        hint = "a name and what it means, as in {regulars: {visits: {at_least: 3, within: 60d}}}"
        fields.problem(keys.SEGMENTS.name, "wrong_type", detail="segments have names", hint=hint)
        return {}
    found: dict[str, Segment | None] = {}
    for key, value in node.entries.values():
        name = (
            fields.reading.parse(key, keys.SEGMENTS.by_name.parse, word=True)
            if keys.SEGMENTS.by_name
            else None
        )
        section = open_part(fields.reading, value, keys.SEGMENT)
        predicates = _predicates(section) if section else ()
        if section and not any(section.node(each.name) for each in keys.PREDICATES):
            fields.reading.report.add(value.at, "missing_key", detail="a segment asks for something")
        found[key.text] = Segment(name, predicates) if name is not None and section else None
    return found


def read_audience(fields: Fields, segments: Segments) -> Audience:
    """The audience of an offer."""
    section = fields.part(keys.AUDIENCE)
    if section is None:
        return Audience()
    if section.truth(keys.CONSENT) is False:
        detail = "consent: false is refused: a marketing message without consent is unlawful"
        section.problem("consent", "consent_needed", detail=detail, hint="consent: true, or leave it out")
    return Audience(
        predicates=_predicates(section),
        segments=_named(section, keys.IN_SEGMENTS, segments),
        not_segments=_named(section, keys.NOT_SEGMENTS, segments),
        not_inside=section.truth(keys.NOT_INSIDE),
    )


def _named(section: Fields, key: Several[str], segments: Segments) -> tuple[Segment, ...]:
    found = []
    for name, node in section.all(key):
        if name not in segments:
            _unknown(section, name, node, segments)
        elif (segment := segments[name]) is not None and segment not in found:
            found.append(segment)
    return tuple(sorted(found, key=lambda segment: segment.name))


def _unknown(section: Fields, name: str, node: ScalarNode, segments: Segments) -> None:
    known = ", ".join(sorted(segments)) or "none"
    hint = suggestion(name, segments) or f"segments of this file: {known}"
    section.reading.report.add(
        node.at, "unknown_segment", detail=f"this file has no segment {shown(name)}", hint=hint
    )


def _predicates(section: Fields) -> tuple[Predicate, ...]:
    """What a section asks for, in the order of the table."""
    found = [_number(section, key) for key in keys.NUMBERS]
    found.append(_words(section, Fact.CUSTOMERS, keys.CUSTOMERS))
    found.append(_words(section, Fact.LANGUAGES, keys.LANGUAGES))
    found.append(_words(section, Fact.HOME_REGION, keys.HOME_REGION))
    favourite = section.truth(keys.FAVOURITE_STORE)
    if favourite is not None:
        least, most = (1, None) if favourite else (None, 0)
        found.append(Predicate(Fact.FAVOURITE_STORE, at_least=least, at_most=most))
    not_regular = section.truth(keys.NOT_REGULAR)
    if not_regular:
        found.append(Predicate(Fact.REGULAR, at_most=0))
    elif not_regular is False:
        detail = "not_regular: false asks for nothing"
        section.problem("not_regular", "bad_value", detail=detail, hint="true, or leave it out")
    return tuple(predicate for predicate in found if predicate is not None)


def _words(section: Fields, fact: Fact, key: One[str] | Several[str]) -> Predicate | None:
    if isinstance(key, One):
        word = section.one(key)
        among = frozenset() if word is None or word == "any" else frozenset({word})
    else:
        among = frozenset(word for word, _ in section.all(key))
    return Predicate(fact, among=among) if among else None


def _number(fields: Fields, key: Part) -> Predicate | None:
    """The bounds of a fact that is a number; None where they are absent."""
    section = fields.part(key)
    if section is None:
        return None
    fact, parts = Fact(key.name), {part.name: part for part in key.section.keys}
    low, high = (section.one(parts[name]) for name in (keys.AT_LEAST, keys.AT_MOST))  # type: ignore[arg-type]
    if not any(section.node(name) for name in (keys.AT_LEAST, keys.AT_MOST)):
        if fact is not Fact.RESEARCHED:
            if not section.unknown:
                fields.problem(key.name, "missing_key", detail=f"{key.name} needs at_least: or at_most:")
            return None
        low = 1
    at_least, at_most = _amount(low), _amount(high)
    if at_least is not None and at_most is not None and at_least > at_most:
        section.problem(keys.AT_MOST, "contradiction", detail="at_most is below at_least: nobody is left")
    return Predicate(
        fact,
        at_least=at_least,
        at_most=at_most,
        within=section.one(keys.WITHIN) if keys.WITHIN.name in parts else None,
        among=_counted(section, parts.keys(), bounds=(low, high)),
        here=keys.AT.name in parts and section.one(keys.AT) == "store",
    )


def _amount(bound: Any) -> float | None:
    if isinstance(bound, timedelta):
        return bound.total_seconds()
    if isinstance(bound, Money):
        return float(bound.amount)
    return None if bound is None else float(bound)


def _counted(section: Fields, parts: Collection[str], *, bounds: tuple[Any, Any]) -> frozenset[str]:
    """What the number is of: the topics that are asked for, or the currency of the bounds."""
    if keys.RESEARCHED_TOPICS.name in parts:
        return frozenset(topic for topic, _ in section.all(keys.RESEARCHED_TOPICS))
    currencies = frozenset(bound.currency for bound in bounds if isinstance(bound, Money))
    if len(currencies) > 1:
        section.problem(keys.AT_MOST, "currency", detail="at_most is in another currency", hint="use one")
    return currencies
