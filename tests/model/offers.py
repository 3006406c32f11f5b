"""What is published in the model: stores whose zones change, campaigns in two versions, and files that are broken."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.app.town import HARBOUR, ROCK, features

KIOSK = "kiosk"
"""A shop where nobody sells yet: what is seen there is away until it is published."""
NORTH_M = {HARBOUR: 0.0, ROCK: 250.0, KIOSK: -5_000.0}
"""All shops stand on one meridian: metres north of the harbour."""
MAJOR = {HARBOUR: 0, ROCK: 1, KIOSK: 2}

PREMISES_M = {"plain": 60.0, "wide": 78.0, "narrow": 60.0, "patient": 60.0, "kiosk": 60.0}
"""Radius of the premises by the layout of the shops; the margin in which nobody has left yet is the same in all."""
LAYOUTS = tuple(PREMISES_M)
NEW_RULES = frozenset({"patient"})
"""Layouts whose rules of visits are others: what is told already has to be folded anew."""


def layout(name: str) -> dict[str, Any]:
    """The shops as GeoJSON: wider premises, an approach zone gone, more patience, or one shop more."""
    found = features(premises_radius_m=PREMISES_M[name])
    harbour, rock = found["features"]
    if name == "wide":
        harbour["properties"]["zones"] = [{"id": "vicinity", "radius_m": 400}]
    if name == "narrow":
        rock["properties"]["zones"] = [{"id": "door", "radius_m": 30}]
    if name == "patient":
        for shop in (harbour, rock):
            shop["properties"]["visit"] = {"gap_merge_s": 900, "dwell_min_s": 200}
    if name == "kiosk":
        longitude, latitude = harbour["geometry"]["coordinates"]
        latitude += NORTH_M[KIOSK] / 111_130
        beacon = {**harbour["properties"]["beacons"][0], "major": MAJOR[KIOSK]}
        properties = {**harbour["properties"], "name": "Kiosk", "beacons": [beacon]}
        geometry = {"type": "Point", "coordinates": [longitude, latitude]}
        found["features"] = [{"type": "Feature", "id": KIOSK, "geometry": geometry, "properties": properties}]
    return found


def _campaign(name: str, holdout: str, *offers: str) -> str:
    head = f"campaign: {name}\nname: {name}\nstores: {{all: true}}\nholdout: {holdout}\noffers:\n"
    return head + "".join(offers)


def _offer(name: str, trigger: str, channels: str, *more: str) -> str:
    coupon = any(line.startswith("coupon:") for line in more)
    terms = ": {value} from {min_basket} until {expires}" if coupon else ""
    lines = [
        f"- offer: {name}",
        f"  trigger: {trigger}",
        f"  channels: [{channels}]",
        *(f"  {line}" for line in more),
        "  message:",
        f'    push: {{body: {{en: "At {{store_name}}{terms}"}}}}',
        f'    sms: {{en: "{{store_name}} is near{terms}. STOP {{stop_number}}"}}',
    ]
    return "\n".join(lines) + "\n"


_COUPON = "coupon: {value: %s EUR, min_basket: 5.00 EUR, expires: 2d}"
_AUDIENCE = "audience_near: {within: 3km, seen_within: 30d}"

CAMPAIGNS: Mapping[str, tuple[str, str]] = {
    "walk": (
        _campaign("walk", "40%", _offer("in", "{enter: premises}", "push, sms", _COUPON % "1.00")),
        _campaign("walk", "20%", _offer("in", "{enter: premises}", "sms, push", _COUPON % "2.00")),
    ),
    "linger": (
        _campaign(
            "linger",
            "0%",
            _offer("long", "{dwell: {zone: premises, for: 2m}}", "push", _COUPON % "1.00", "priority: 60"),
            _offer("close", "{near: vicinity}", "sms", "valid_for: 2h"),
        ),
        _campaign(
            "linger",
            "30%",
            _offer("long", "{dwell: {zone: premises, for: 3m}}", "push", _COUPON % "1.00"),
            _offer("close", "{near: vicinity}", "push", "limits: {per_shopper: 1 per 3d}"),
        ),
    ),
    "till": (
        _campaign("till", "0%", _offer("heard", "{beacon: {place: till, proximity: near, for: 3s}}", "push")),
        _campaign("till", "0%", _offer("heard", "{beacon: {place: till, proximity: far, for: 2s}}", "sms")),
    ),
    "clock": (
        _campaign(
            "clock",
            "40%",
            _offer("night", f'{{at: "sun 02:30", {_AUDIENCE}}}', "push, sms", "valid_for: 2d"),
            _offer(
                "noon",
                f'{{at: "mon-fri 11:30", {_AUDIENCE}}}',
                "sms, push",
                "valid_for: 6h",
                _COUPON % "3.00",
            ),
        ),
        _campaign(
            "clock",
            "0%",
            _offer("night", f'{{at: "sun 02:30", {_AUDIENCE}}}', "sms", "valid_for: 2d"),
            _offer("noon", f'{{at: "sat 10:00", {_AUDIENCE}}}', "push", "valid_for: 4h"),
        ),
    ),
}
"""Two versions of each campaign, with the same offers."""

COUPON_OFFERS = {("walk", "in"), ("linger", "long"), ("clock", "noon")}
SCHEDULED = {"clock"}
FRESH = timedelta(minutes=5)
LONGEST_VALID = timedelta(days=2)

BROKEN: Mapping[str, str] = {
    "not YAML": CAMPAIGNS["walk"][0] + "}\n",
    "a zone that is nowhere": CAMPAIGNS["walk"][0].replace("premises", "cellar"),
    "nobody is left": CAMPAIGNS["walk"][0].replace("40%", "140%"),
    "no way to stop": CAMPAIGNS["walk"][0].replace(" STOP {stop_number}", ""),
    "an unknown key": CAMPAIGNS["walk"][0].replace("holdout", "hold_out"),
}
"""Texts that cannot be used as they are written."""
