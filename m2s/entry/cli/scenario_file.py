"""What is to be simulated, as a YAML file says? The scenario, or all that is wrong with the file, line by line."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from importlib.resources import files
from pathlib import Path
from re import compile as pattern
from typing import Any

from beacons.sim.fleet import Faults
from beacons.sim.habits import Habits
from beacons.sim.radio import Radio
from beacons.sim.route import Kind
from beacons.sim.scenario import Scenario
from beacons.sim.simulation import Crowd
from beacons.sim.town import LAYOUTS, Town, town
from beacons.sim.world import World
from campaigns import moments, values
from campaigns.problems import Problem, Report, shown
from campaigns.reader_fields import Fields, Reading, open_section
from campaigns.reader_nodes import MappingNode, compose
from campaigns.reader_shapes import Parse
from m2s.core.base.errors import Invalid

_KEYS = ("scenario", "seed", "start", "days", "city", "shoppers", "phones", "beacons", "effects")
_MOST_PEOPLE, _MOST_DAYS, _MOST_SHOPS = 100_000, 366, 500
_DEFAULT_SEED, _DEFAULT_DAY = 7, "2026-11-02"
_EARSHOT_M = 60.0
_PERCENT = pattern(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)%")
_NUMBER = pattern(r"[0-9]{1,4}(?:\.[0-9]{1,3})?")

_CROWD = {
    Kind.BUYER: "buyers",
    Kind.PASSER_BY: "passers_by",
    Kind.DRIVER: "drivers",
    Kind.STAFF: "staff",
    Kind.QUEUE: "queue",
    Kind.RESIDENT: "residents",
    Kind.MALL_NEIGHBOUR: "mall_neighbours",
}


class ScenarioProblems(Exception):
    """A scenario cannot be used; `problems` are all that was found, sorted by line and column."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: (problem.line, problem.column, problem.code))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def shipped() -> dict[str, str]:
    """The scenarios that come with m2s: their texts by name."""
    folder = files("beacons.sim") / "scenarios"
    found = {
        path.name.removesuffix(".yaml"): path for path in folder.iterdir() if path.name.endswith(".yaml")
    }
    return {name: found[name].read_text(encoding="utf-8") for name in sorted(found)}


def load_scenario(named: str) -> Scenario:
    """The scenario of a file, or a shipped one by its name. Raises ScenarioProblems, or Invalid for no such file."""
    from m2s.entry.cli.desk import text_of

    path = Path(named)
    if not path.exists():
        known = shipped()
        if named in known:
            return read_scenario(known[named], named, folder=Path())
        raise Invalid(
            f"there is no file {named}, and the scenarios that come with m2s are {', '.join(known)}"
        )
    return read_scenario(text_of(path), named, folder=path.parent)


def read_scenario(text: str, file: str, *, folder: Path) -> Scenario:
    """The scenario of a text; the files that it names lie in `folder`. Raises ScenarioProblems with all of them."""
    report = Report(text, file)
    root = compose(report, what="scenario")
    fields = open_section(Reading(report), root, what="a scenario", allowed=_KEYS) if root else None
    scenario = _scenario(fields, folder) if fields else None
    if report.problems or scenario is None:
        raise ScenarioProblems(report.problems)
    return scenario


def _scenario(fields: Fields, folder: Path) -> Scenario | None:
    name = fields.required("scenario", values.identifier, word=True)
    seed = fields.optional("seed", values.integer(0, 999_999_999))
    city, timezone = _city(fields, folder)
    crowd = _crowd(fields)
    habits = _habits(fields)
    radio, faults = _beacons(fields, city)
    effects = _effects(fields)
    first_day = fields.optional("start", moments.local_date)
    days = fields.optional("days", values.integer(1, _MOST_DAYS))
    if city is None:
        return None
    return Scenario(
        id=name or "",
        seed=_DEFAULT_SEED if seed is None else seed,
        first_day=first_day or moments.local_date(_DEFAULT_DAY),
        days=days or 1,
        timezone=timezone,
        world=city.world,
        stores=city.stores,
        crowd=crowd,
        habits=habits,
        radio=radio,
        faults=faults,
        effects=effects,
    )


def _city(fields: Fields, folder: Path) -> tuple[Town | None, str]:
    allowed = ("town", "shops", "stores", "scenery")
    section = fields.section("city", what="city", allowed=allowed) if fields.present("city") else None
    if section is None:
        return None, ""
    layout = section.optional("town", values.choice(*LAYOUTS))
    shops = section.optional("shops", values.integer(1, _MOST_SHOPS))
    is_town, is_file = (section.node(key) is not None for key in ("town", "stores"))
    if is_town == is_file:
        detail = "a city is either a built-in town: or a file of stores:"
        fields.problem("city", "city", detail=detail, hint=f"town: one of {', '.join(LAYOUTS)}")
        return None, ""
    for key, other in (("shops", "town"), ("scenery", "stores")):
        if section.node(key) is not None and section.node(other) is None:
            section.problem(key, "contradiction", detail=f"{key}: goes with {other}: only")
    if is_file:
        return _city_of_file(section, folder)
    built = town(layout, shops) if layout is not None else None
    return built, _timezone(built) if built else ""


def _city_of_file(section: Fields, folder: Path) -> tuple[Town | None, str]:
    """The city of a store file; what neither the service nor a simulated shopper can read is told at its key."""
    from m2s.core.places.geojson import read_collection

    stores, scenery = (_collection(section, key, folder) for key in ("stores", "scenery"))
    if stores is None or (scenery is None and section.node("scenery") is not None):
        return None, ""
    try:
        read_collection(stores)
        built = Town(World.from_geojson(stores, scenery), stores)
    except Invalid as error:
        told = "; ".join([error.detail, *(f"{one.pointer}: {one.detail}" for one in error.problems[:3])])
        section.problem("stores", "stores", detail=told)
    except (ValueError, KeyError, TypeError) as error:
        section.problem("stores", "stores", detail=f"shoppers cannot walk in this city: {error}")
    else:
        if not built.world.shops:
            section.problem("stores", "stores", detail="there is no store in this file")
            return None, ""
        return built, _timezone(built)
    return None, ""


def _timezone(city: Town) -> str:
    zone: str = city.stores["features"][0]["properties"]["timezone"]
    return zone


def _collection(section: Fields, key: str, folder: Path) -> Any:
    name = section.optional(key, values.words(1000))
    if name is None:
        return None
    try:
        document = json.loads((folder / name).read_text(encoding="utf-8-sig"))
    except OSError as error:
        section.problem(key, "no_file", detail=f"{folder / name}: {(error.strerror or '').lower()}")
        return None
    except ValueError as error:
        section.problem(key, "not_json", detail=f"{folder / name} is not JSON: {error}")
        return None
    if isinstance(document, dict) and isinstance(document.get("features"), list):
        return document
    section.problem(key, "geojson", detail=f"{folder / name} is not a GeoJSON FeatureCollection")
    return None


def _crowd(fields: Fields) -> Crowd:
    nobody = dict.fromkeys(_CROWD.values(), 0)
    names = tuple(kind.value for kind in Kind)
    given = fields.present("shoppers")
    section = fields.section("shoppers", what="shoppers", allowed=names) if given else None
    if section is None:
        return Crowd(**nobody)
    read = {
        field: section.optional(kind.value, values.integer(0, _MOST_PEOPLE)) for kind, field in _CROWD.items()
    }
    found = {field: many or 0 for field, many in read.items()}
    if not sum(found.values()) and not fields.reading.report.problems:
        fields.problem(
            "shoppers",
            "nobody",
            detail="nobody is in this city",
            hint="for example buyer: 50, passer_by: 100",
        )
    return Crowd(**found)


def _habits(fields: Fields) -> Habits:
    section = fields.section("phones", what="phones", allowed=tuple(_PHONES))
    found = _table(section, _PHONES)
    habits = Habits(regions_planned=True, **found)
    low_m, high_m = habits.accuracy_m
    for key in ("accuracy_indoors", "accuracy_outdoors"):
        if section and not low_m <= getattr(habits, _PHONES[key][0]) <= high_m:
            section.problem(
                key if section.node(key) else "accuracy",
                "out_of_range",
                detail=f"{key} of {getattr(habits, _PHONES[key][0]):g} m lies outside accuracy",
                hint=f"from {low_m:g}m to {high_m:g}m",
            )
    return habits


def _beacons(fields: Fields, city: Town | None) -> tuple[Radio, Faults]:
    section = fields.section("beacons", what="beacons", allowed=(*_RADIO, *_FAULTS))
    radio = Radio(**{"earshot_m": _EARSHOT_M, **_table(section, _RADIO)})
    faults = Faults(**_table(section, _FAULTS))
    hung = sum(len(shop.beacons) for shop in city.world.shops.values()) if city else None
    if hung is not None and faults.dead + faults.moved + faults.cloned > hung:
        detail = f"more beacons fail than hang in this city: {hung}"
        fields.problem("beacons", "out_of_range", detail=detail, hint="lower dead, moved or cloned")
    return radio, faults


def _effects(fields: Fields) -> dict[str, float]:
    """By campaign id the share of shoppers whom its message moves."""
    node = fields.node("effects")
    if node is None:
        return {}
    if not isinstance(node, MappingNode):
        hint = "a campaign's id and a percentage, as in welcome: 35%"
        fields.problem("effects", "wrong_type", detail="effects is a mapping", hint=hint)
        return {}
    found = {}
    for key, value in node.entries.values():
        campaign_id = fields.reading.parse(key, values.identifier, word=True)
        share = fields.reading.parse(value, _percent)
        if campaign_id is not None and share is not None:
            found[campaign_id] = share
    return found


def _table(section: Fields | None, table: "Mapping[str, tuple[str, Parse[Any]]]") -> dict[str, Any]:
    """The values of the keys of a table that are there and right, by the names of their fields."""
    if section is None:
        return {}
    read = {name: section.optional(key, parse) for key, (name, parse) in table.items()}
    return {name: value for name, value in read.items() if value is not None}


def _percent(text: str, most: int = 100) -> float:
    """A percentage, as a share of 1."""
    found = _PERCENT.fullmatch(text)
    if not found or Decimal(found[1]) > most:
        raise values.BadValueError(
            f"{shown(text)} is not such a percentage", f"from 0% to {most}%, as in 15%"
        )
    return float(Decimal(found[1]) / 100)


def _number(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        if not _NUMBER.fullmatch(text) or not least <= float(text) <= most:
            raise values.BadValueError(f"{shown(text)} is not such a number", f"from {least:g} to {most:g}")
        return float(text)

    return read


def _span(parse: Callable[[str], float], example: str) -> Callable[[str], tuple[float, float]]:
    """Two values with `to` between them, the smaller first."""

    def read(text: str) -> tuple[float, float]:
        ends = text.split(" to ")
        if len(ends) != 2:
            raise values.BadValueError(f"{shown(text)} is not a span", f"as in {example}")
        low, high = (parse(end.strip()) for end in ends)
        if low > high:
            raise values.BadValueError(f"{shown(text)} runs backwards", f"the smaller first, as in {example}")
        return low, high

    return read


def _seconds(least: str, most: str) -> Callable[[str], float]:
    parse = values.duration(least, most)
    return lambda text: parse(text).total_seconds()


def _times(least: str, most: str, example: str) -> Callable[[str], tuple[float, float]]:
    return _span(_seconds(least, most), example)


_PHONES: Mapping[str, tuple[str, Parse[Any]]] = {
    "ios": ("ios_share", _percent),
    "accuracy": ("accuracy_m", _span(values.distance_m, "5m to 40m")),
    "accuracy_indoors": ("indoors_m", values.distance_m),
    "accuracy_outdoors": ("outdoors_m", values.distance_m),
    "fix_walking": ("fix_walking_s", _times("1s", "1d", "22s to 60s")),
    "fix_still": ("fix_still_s", _times("1s", "1d", "55s to 110s")),
    "fence_delay": ("fence_delay_s", _times("0s", "1h", "20s to 5m")),
    "fence_lost": ("fence_lost", _percent),
    "beacon_scan": ("scan_s", _times("10s", "1h", "70s to 130s")),
    "beacon_exit": ("beacon_exit_s", _times("0s", "1h", "10s to 25m")),
    "batch": ("batch_s", _times("1s", "1d", "90s to 200s")),
    "waiting": ("waits_share", _percent),
    "waiting_for": ("waits_s", _times("1s", "1d", "3m to 15m")),
    "newest_first": ("newest_first", _percent),
    "lost": ("lost", _percent),
    "repeated": ("repeated", partial(_percent, most=50)),
    "wrong_clock": ("wrong_clock", _percent),
    "clock_error": ("clock_error_s", _times("1s", "4w", "2m to 3d")),
    "tells_age": ("tells_age", _percent),
    "approximate": ("approximate", _percent),
    "reboots": ("reboots", _percent),
    "offline": ("offline_share", _percent),
    "offline_for": ("offline_s", _times("1m", "4w", "1h to 6h")),
    "mocked": ("mocked", _percent),
    "replayed": ("replayed", _percent),
}
"""The keys of `phones`: the fields of `Habits` that they set."""

_RADIO: Mapping[str, tuple[str, Parse[Any]]] = {
    "path_loss_exponent": ("path_loss_exponent", _number(1.0, 6.0)),
    "fading_db": ("fading_db", _number(0.0, 20.0)),
    "packets_lost": ("lost_share", _percent),
    "body_loss_db": ("body_loss_db", _number(0.0, 40.0)),
    "wall_loss_db": ("wall_loss_db", _number(0.0, 60.0)),
    "earshot": ("earshot_m", values.distance_m),
}
_FAULTS: Mapping[str, tuple[str, Parse[Any]]] = {
    name: (name, values.integer(0, 10_000)) for name in ("dead", "moved", "cloned")
}
