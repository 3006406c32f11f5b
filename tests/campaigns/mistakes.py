"""Which mistakes does somebody make in a campaign file? A good file, and what spoils it where, for several tests."""

from __future__ import annotations

GOOD = """\
campaign: good
name: Good
timezone: store
from: 2026-11-01
until: 2026-11-30
stores: {tags: [bakery]}
holdout: 10%
offers:
  - offer: one
    trigger: {near: vicinity}
    when: {days: mon-sat, hours: "08:30-10:30", open: true}
    channels: [push, sms]
    coupon: {value: 1.00 EUR, expires: 2d}
    message:
      push: {title: {fr: "{value}, {expires}"}, body: {fr: "Code {code}"}}
      sms: {fr: "{brand}: {value}, {expires}: {code}. STOP {stop_number}"}
"""

MISTAKES = [
    ("name: Good", "name: ¦NO", "ambiguous"),
    ("name: Good", "name: ¦22:00", "ambiguous"),
    ("name: Good", "name: ¦0123", "ambiguous"),
    ("name: Good", "name: ¦01000", "ambiguous"),
    ("name: Good", "name: ¦12:30:00", "ambiguous"),
    ("name: Good", "name: ¦+33612345678", "ambiguous"),
    ("name: Good", "name: ¦.nan", "ambiguous"),
    ("name: Good", "name: ¦1e3", "ambiguous"),
    ("name: Good", "name: ¦1_000", "ambiguous"),
    ("name: Good", "name: ¦0x1F", "ambiguous"),
    ("name: Good", "name: ¦2024-01-05", "ambiguous"),
    ("name: Good", "name: ¦Null", "ambiguous"),
    ("name: Good", "name: ¦=", "ambiguous"),
    ("name: Good", "¦name:", "missing_value"),
    ("name: Good", "name: ¦[Good]", "wrong_type"),
    ("name: Good", "¦nam: Good", "unknown_key"),
    ("campaign: good", "campaign: ¦Good Morning", "bad_value"),
    ("campaign: good", "campaign: ¦2026", "ambiguous"),
    ("timezone: store", "timezone: ¦Europe/Pari", "unknown_timezone"),
    ("from: 2026-11-01", "from: ¦2026-13-01", "bad_value"),
    ("from: 2026-11-01", "from: ¦1899-01-01", "out_of_range"),
    ("until: 2026-11-30", "until: ¦2026-10-31", "ends_before_start"),
    ("tags: [bakery]", "tags: ¦[]", "empty_list"),
    ("tags: [bakery]", "tags: [¦on]", "ambiguous"),
    ("tags: [bakery]", "all: ¦false", "bad_value"),
    ("tags: [bakery]", "all: ¦yes", "bad_value"),
    ("tags: [bakery]", 'all: ¦"true"', "bad_value"),
    ("{tags: [bakery]}", "¦{}", "no_stores"),
    ("tags: [bakery]", "all: true, ids: ¦[a]", "contradiction"),
    ("holdout: 10%", "holdout: ¦0.1", "bad_value"),
    ("holdout: 10%", "holdout: ¦100%", "out_of_range"),
    ("{near: vicinity}", "¦{near: vicinity, enter: premises}", "one_trigger"),
    ("{near: vicinity}", "{¦nearby: vicinity}", "unknown_key"),
    (
        "{near: vicinity}",
        '{at: ¦"sat 25:00", audience_near: {within: 3km, seen_within: 1d}}',
        "bad_value",
    ),
    ("{near: vicinity}", '¦{at: "sat 10:00"}', "missing_key"),
    ("{near: vicinity}", "{dwell: {zone: premises, for: ¦6}}", "bad_value"),
    ("{near: vicinity}", "{beacon: {place: till, proximity: ¦close, for: 20s}}", "bad_value"),
    ("days: mon-sat", "days: ¦monday", "bad_value"),
    ('hours: "08:30-10:30"', "hours: ¦08:30", "bad_value"),
    ('hours: "08:30-10:30"', 'hours: ¦"08:30-08:30"', "out_of_range"),
    ("open: true", "open: true, holidays: ¦never", "bad_value"),
    ('"08:30-10:30", open: true', "'08:30-10:30', closing_buffer: ¦20m", "needs_open"),
    ("channels: [push, sms]", "channels: [push, ¦push]", "duplicate_channel"),
    ("channels: [push, sms]", "channels: [push, ¦fax]", "bad_value"),
    ("channels: [push, sms]", "channels: [push, ¦webhook]", "channel_without_text"),
    ("1.00 EUR", "¦1,00 €", "bad_value"),
    ("1.00 EUR", "¦0.00 EUR", "out_of_range"),
    ("expires: 2d", "expires: ¦tomorrow", "bad_value"),
    ("value: 1.00 EUR", "value: 1.00 EUR, min_basket: ¦5.00 CHF", "currency"),
    ('{fr: "Code {code}"}', '{fr: "Code ¦{coed}"}', "placeholder"),
    ('{fr: "Code {code}"}', '{fr: "Code ¦{code!r}"}', "placeholder"),
    ('{fr: "Code {code}"}', '{fr: "Code ¦{code"}', "placeholder"),
    ('{fr: "Code {code}"}', '{fr: "Code ¦{stop_number}"}', "unfilled"),
    ('{fr: "Code {code}"}', '{fr: "Dès ¦{min_basket}"}', "unfilled"),
    ('{fr: "Code {code}"}', '{¦no: "Code"}', "ambiguous"),
    ('{fr: "Code {code}"}', '{¦xx: "Code"}', "unknown_language"),
    ('{fr: "Code {code}"}', '{fr: ¦""}', "empty_text"),
    ('{fr: "Code {code}"}', '¦"Code"', "wrong_type"),
    (
        'title: {fr: "{value}, {expires}"}',
        'title: ¦{fr: "{value}, {expires}", en: Hi}',
        "languages_differ",
    ),
    ('{fr: "Code {code}"}', '{fr: ¦"a\\u0007b"}', "control_character"),
    (
        '{fr: "{brand}: {value}, {expires}: {code}. STOP {stop_number}"}',
        '{fr: ¦"{brand}: {value}, {expires}"}',
        "sms_without_stop",
    ),
    (
        '{fr: "{brand}: {value}, {expires}: {code}. STOP {stop_number}"}',
        '{fr: ¦"{value}, {expires}. STOP {stop_number}"}',
        "sms_without_sender",
    ),
    ("  - offer: one", "  - offer: one\n    audience: {consent: ¦false}", "consent_needed"),
    ("  - offer: one", "  - offer: one\n    audience: {¦visit: {at_most: 0}}", "unknown_key"),
    ("  - offer: one", "  - offer: one\n    priority: ¦050", "bad_value"),
    ("  - offer: one", "  - offer: one\n    priority: ¦101", "out_of_range"),
    ("  - offer: one", "  - offer: one\n    fresh: ¦11m", "out_of_range"),
    ("  - offer: one", "  - offer: one\n    limits: {per_shopper: ¦1/3d}", "bad_value"),
    ("  - offer: one", "  - offer: one\n    limits: {per_shopper: ¦1 per 0d}", "out_of_range"),
    ("name: Good", "name: Good\ntags: ¦[]", "empty_list"),
    ("name: Good", "name: Good\nbudget: ¦{}", "missing_key"),
    ("name: Good", "name: Good\nbudget: {¦mesages: 10}", "unknown_key"),
    ("name: Good", "name: Good\nbudget: {messages: ¦0}", "out_of_range"),
    ("name: Good", "name: Good\nbudget: {messages: ¦many}", "bad_value"),
    ("name: Good", "name: Good\nbudget: {cost: ¦900 euros}", "bad_value"),
    ("tags: [bakery]", "area: ¦everywhere", "wrong_type"),
    ("tags: [bakery]", "area: {type: ¦Point, coordinates: [7.4, 43.7]}", "bad_value"),
    ("tags: [bakery]", "area: ¦{type: Polygon}", "missing_key"),
    ("tags: [bakery]", "area: {type: Polygon, coordinates: ¦[]}", "bad_area"),
    ("tags: [bakery]", "area: {type: Polygon, coordinates: [¦[[0, 0], [0, 1], [0, 0]]]}", "bad_area"),
    (
        "tags: [bakery]",
        "area: {type: Polygon, coordinates: [[[0, 0], ¦[0, 1, 2], [1, 1], [0, 0]]]}",
        "bad_area",
    ),
    (
        "tags: [bakery]",
        "area: {type: Polygon, coordinates: [[[0, 0], ¦[0, 181], [1, 1], [0, 0]]]}",
        "bad_area",
    ),
    (
        "tags: [bakery]",
        "area: {type: Polygon, coordinates: [[[0, 0], [0, ¦east], [1, 1], [0, 0]]]}",
        "bad_area",
    ),
    (
        "tags: [bakery]",
        "area: {type: Polygon, coordinates: ¦[[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}",
        "bad_area",
    ),
    ("holdout: 10%", "holdout: 10%\nsegments: ¦[regulars]", "wrong_type"),
    ("holdout: 10%", "holdout: 10%\nsegments: {a: ¦{}}", "missing_key"),
    ("holdout: 10%", "holdout: 10%\nsegments: {¦A Name: {visits: {at_least: 1}}}", "bad_value"),
    ("holdout: 10%", "holdout: 10%\nsegments: {a: {¦consent: true}}", "unknown_key"),
    ("{near: vicinity}", "{exit: ¦Big Door}", "bad_value"),
    ("{near: vicinity}", "{¦crosing: vicinity}", "unknown_key"),
    ("{near: vicinity}", "{after_visit: ¦2}", "bad_value"),
    ("{near: vicinity}", "{after_redemption: ¦91d}", "out_of_range"),
    ("{near: vicinity}", "{research: ¦{within: 3d}}", "missing_key"),
    ("{near: vicinity}", "{research: {topics: [¦stock], within: 3d}}", "bad_value"),
    ("{near: vicinity}", '¦{cron: "0 10 * * 6"}', "missing_key"),
    ("{near: vicinity}", "{cron: ¦0 10 * *, audience_near: {within: 3km, seen_within: 1d}}", "bad_value"),
    (
        "{near: vicinity}",
        "{cron: ¦0 25 * * *, audience_near: {within: 3km, seen_within: 1d}}".replace("¦0", '¦"0').replace(
            "*,", '*",'
        ),
        "bad_value",
    ),
    (
        "{near: vicinity}",
        "{rrule: ¦FREQ=HOURLY, audience_near: {within: 3km, seen_within: 1d}}",
        "bad_value",
    ),
    (
        "{near: vicinity}",
        "{rrule: ¦FREQ=DAILY, audience_near: {within: 3km, seen_within: 1d}}",
        "needs_time",
    ),
    (
        "{near: vicinity}",
        "{near: vicinity, audience_near: ¦{within: 3km, seen_within: 1d}}",
        "contradiction",
    ),
    ("open: true", "open_on_arrival: ¦true", "needs_open"),
    ("open: true", "open: true, open_on_arrival: ¦maybe", "bad_value"),
    ("  - offer: one", "  - offer: one\n    from: ¦2026-10-31", "outside_campaign"),
    ("  - offer: one", "  - offer: one\n    until: ¦2026-12-01", "outside_campaign"),
    ("  - offer: one", "  - offer: one\n    from: 2026-11-03\n    until: ¦2026-11-02", "ends_before_start"),
    ("  - offer: one", "  - offer: one\n    limits: {store_pace: ¦20/hour}", "bad_value"),
    ("  - offer: one", "  - offer: one\n    limits: {sms_parts: ¦10}", "out_of_range"),
    ("  - offer: one", "  - offer: one\n    transliterate: ¦clever", "bad_value"),
    ("  - offer: one", "  - offer: one\n    audience: {visits: ¦{within: 7d}}", "missing_key"),
    ("  - offer: one", "  - offer: one\n    audience: {visits: {at_least: ¦few}}", "bad_value"),
    ("  - offer: one", "  - offer: one\n    audience: {visits: {at_least: 3, at_most: ¦2}}", "contradiction"),
    ("  - offer: one", "  - offer: one\n    audience: {visits: {at_least: 1, at: ¦here}}", "bad_value"),
    (
        "  - offer: one",
        "  - offer: one\n    audience: {visits: {at_least: 1, within: ¦396d}}",
        "out_of_range",
    ),
    ("  - offer: one", "  - offer: one\n    audience: {bought: {at_least: ¦50}}", "bad_value"),
    (
        "  - offer: one",
        "  - offer: one\n    audience: {bought: {at_least: 50 EUR, at_most: ¦99 CHF}}",
        "currency",
    ),
    ("  - offer: one", "  - offer: one\n    audience: {dwell: {at_least: ¦10}}", "bad_value"),
    ("  - offer: one", "  - offer: one\n    audience: {distance: {at_most: ¦near}}", "bad_value"),
    ("  - offer: one", "  - offer: one\n    audience: {customers: ¦old}", "bad_value"),
    ("  - offer: one", "  - offer: one\n    audience: {languages: [¦no]}", "ambiguous"),
    ("  - offer: one", "  - offer: one\n    audience: {languages: [¦french]}", "unknown_language"),
    ("  - offer: one", "  - offer: one\n    audience: {home_region: ¦Paris}", "bad_value"),
    ("  - offer: one", "  - offer: one\n    audience: {not_regular: ¦false}", "bad_value"),
    ("  - offer: one", "  - offer: one\n    audience: {favourite_store: ¦nearest}", "bad_value"),
    ("  - offer: one", "  - offer: one\n    audience: {segments: [¦regulars]}", "unknown_segment"),
    ("expires: 2d", "expires: 2d, stock: ¦lots", "bad_value"),
    ('{fr: "Code {code}"}', '{fr: "Reste ¦{stock}"}', "unfilled"),
    ('{fr: "Code {code}"}', '{en: ¦"Code {code}"}', "terms_missing"),
    ('"{brand}: {value}, {expires}: {code}', '¦"{brand}: {value}: {code}', "terms_missing"),
    (
        '"{brand}: {value}, {expires}: {code}',
        '¦"{brand}: 2 EUR, {expires}: {code}',
        "terms_missing",
    ),
    (
        "2d}\n    message:\n"
        '      push: {title: {fr: "{value}, {expires}"}, body: {fr: "Code {code}"}}\n      sms: {fr: "',
        "2d, min_basket: 9 EUR}\n    message:\n"
        '      push: {title: {fr: "{value}, {expires}"}, body: {fr: "Dès 9 €"}}\n      sms: {fr: ¦"',
        "terms_missing",
    ),
    (
        '"{brand}: {value}, {expires}: {code}.',
        '¦"{brand}: {value}, {expires}: {code}.' + 20 * " Venez vite, c'est ouvert.",
        "sms_too_long",
    ),
]
"""A part of the good file, what stands in its place (`¦` before the mistake), and the code of the problem."""


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def marked(text: str) -> tuple[str, int, int]:
    """The text without its mark `¦`, and the line and column that the mark stood at."""
    before, _, after = text.partition("¦")
    return before + after, before.count("\n") + 1, len(before) - before.rfind("\n")
