"""A scenario file is read whole, or all that is wrong with it is told with line and column."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from beacons.sim.fleet import Faults
from beacons.sim.habits import Habits
from beacons.sim.radio import Radio
from beacons.sim.simulation import Crowd
from m2s.core.base.errors import Invalid
from m2s.entry.cli.scenario_file import (
    _FAULTS,
    _PHONES,
    _RADIO,
    ScenarioProblems,
    load_scenario,
    read_scenario,
    shipped,
)
from tests.data import ROOT

CITY = ROOT / "m2s/entry/cli/demo_city"
LEAST = "scenario: s\ncity: {town: mall}\nshoppers: {buyer: 3}\n"


def problems(text: str, folder: Path = CITY) -> list[str]:
    """What is wrong with a text, as `line:column code`."""
    with pytest.raises(ScenarioProblems) as found:
        read_scenario(text, "s.yaml", folder=folder)
    return [f"{one.line}:{one.column} {one.code}" for one in found.value.problems]


def test_the_least_that_a_scenario_says_is_where_and_who() -> None:
    scenario = read_scenario(LEAST, "s.yaml", folder=CITY)
    assert (scenario.id, scenario.seed, scenario.days) == ("s", 7, 1)
    assert scenario.midnight().isoformat() == "2026-11-02T00:00:00+01:00"
    assert scenario.crowd == Crowd(3, 0, 0, 0)
    assert scenario.habits == Habits(regions_planned=True)
    assert scenario.radio == Radio(earshot_m=60.0)
    assert (scenario.faults, scenario.effects) == (Faults(), {})


def test_every_key_is_taken_to_its_field() -> None:
    scenario = read_scenario(
        """\
scenario: all
seed: 3
start: 2026-03-28
days: 2
city: {stores: stores.geojson, scenery: scenery.geojson}
shoppers: {buyer: 1, passer_by: 2, driver: 3, staff: 4, queue: 5, resident: 6, mall_neighbour: 7}
phones:
  ios: 12.5%
  accuracy: 4m to 70m
  accuracy_indoors: 30m
  accuracy_outdoors: 9m
  fix_walking: 10s to 20s
  fix_still: 1m to 2m
  fence_delay: 20s to 5m
  fence_lost: 11%
  beacon_scan: 40s to 50s
  beacon_exit: 10s to 25m
  batch: 1m to 3m
  waiting: 13%
  waiting_for: 4m to 5m
  newest_first: 14%
  lost: 15%
  repeated: 16%
  wrong_clock: 17%
  clock_error: 2m to 3d
  tells_age: 18%
  approximate: 19%
  reboots: 20%
  offline: 21%
  offline_for: 1h to 6h
  mocked: 22%
  replayed: 23%
beacons:
  path_loss_exponent: 3.1
  fading_db: 4.5
  packets_lost: 24%
  body_loss_db: 6
  wall_loss_db: 9
  earshot: 45m
  dead: 1
  moved: 2
  cloned: 3
effects: {welcome: 35%, next-door: 0%}
""",
        "s.yaml",
        folder=CITY,
    )
    assert scenario.habits == Habits(
        ios_share=0.125,
        accuracy_m=(4.0, 70.0),
        indoors_m=30.0,
        outdoors_m=9.0,
        fix_walking_s=(10.0, 20.0),
        fix_still_s=(60.0, 120.0),
        fence_delay_s=(20.0, 300.0),
        fence_lost=0.11,
        scan_s=(40.0, 50.0),
        beacon_exit_s=(10.0, 1500.0),
        regions_planned=True,
        batch_s=(60.0, 180.0),
        waits_share=0.13,
        waits_s=(240.0, 300.0),
        newest_first=0.14,
        lost=0.15,
        repeated=0.16,
        wrong_clock=0.17,
        clock_error_s=(120.0, 259_200.0),
        tells_age=0.18,
        approximate=0.19,
        reboots=0.2,
        offline_share=0.21,
        offline_s=(3600.0, 21_600.0),
        mocked=0.22,
        replayed=0.23,
    )
    assert scenario.radio == Radio(3.1, 4.5, 0.24, 6.0, 9.0, 45.0)
    assert scenario.faults == Faults(1, 2, 3)
    assert scenario.crowd == Crowd(1, 2, 3, 4, 5, 6, 7)
    assert scenario.effects == {"welcome": 0.35, "next-door": 0.0}
    assert scenario.midnight().isoformat() == "2026-03-28T00:00:00+01:00"
    assert len(scenario.world.shops) == 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1:1 empty"]),
        ("- a\n", ["1:1 wrong_type"]),
        ("scenario: s\n", ["1:1 missing_key", "1:1 missing_key"]),
        (LEAST + "sed: 3\n", ["4:1 unknown_key"]),
        (LEAST + "seed: 3\nseed: 4\n", ["5:1 duplicate_key"]),
        (LEAST + "days: 0\n", ["4:7 out_of_range"]),
        (LEAST + "start: 02/11/2026\n", ["4:8 bad_value"]),
        ("scenario: s\ncity: {town: mal}\nshoppers: {buyer: 3}\n", ["2:14 bad_value"]),
        ("scenario: s\ncity: {}\nshoppers: {buyer: 3}\n", ["2:7 city"]),
        ("scenario: s\ncity: {town: mall, stores: stores.geojson}\nshoppers: {buyer: 3}\n", ["2:7 city"]),
        ("scenario: s\ncity: {town: mall, scenery: x}\nshoppers: {buyer: 3}\n", ["2:29 contradiction"]),
        ("scenario: s\ncity: {stores: no.geojson}\nshoppers: {buyer: 3}\n", ["2:16 no_file"]),
        ("scenario: s\ncity: {stores: NOTICE.md}\nshoppers: {buyer: 3}\n", ["2:16 not_json"]),
        ("scenario: s\ncity: {town: mall}\nshoppers: {}\n", ["3:11 nobody"]),
        ("scenario: s\ncity: {town: mall}\nshoppers: {byer: 3}\n", ["3:12 unknown_key"]),
        ("scenario: s\ncity: {town: mall}\nshoppers: {buyer: 3.5}\n", ["3:19 bad_value"]),
        (LEAST + "phones: {ios: 120%}\n", ["4:15 bad_value"]),
        (LEAST + "phones: {repeated: 51%}\n", ["4:20 bad_value"]),
        (LEAST + "phones: {fence_delay: 20s}\n", ["4:23 bad_value"]),
        (LEAST + "phones: {fence_delay: 5m to 20s}\n", ["4:23 bad_value"]),
        (LEAST + "phones: {accuracy: 5m to 10m}\n", ["4:20 out_of_range"]),
        (LEAST + "phones:\n  accuracy_indoors: 90m\n", ["5:21 out_of_range"]),
        (LEAST + "beacons: {fading_db: loud}\n", ["4:22 bad_value"]),
        (LEAST + "beacons: {dead: 20, moved: 5}\n", ["4:10 out_of_range"]),
        (LEAST + "effects: 35%\n", ["4:10 wrong_type"]),
        (LEAST + "effects: {Welcome: 35%}\n", ["4:11 bad_value"]),
        (LEAST + "effects: {welcome: 0.35}\n", ["4:20 bad_value"]),
        (LEAST + "days: 0\nseed: x\n", ["4:7 out_of_range", "5:7 bad_value"]),
        (LEAST + "---\nscenario: t\n", ["4:1 documents"]),
        (LEAST + "phones: {ios: 50%\n", ["5:1 not_yaml"]),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


def test_a_problem_says_what_would_be_right() -> None:
    with pytest.raises(ScenarioProblems) as found:
        read_scenario(LEAST + "phones: {fence_dely: 20s to 5m}\n", "s.yaml", folder=CITY)
    assert str(found.value).startswith(
        's.yaml:4:10: "fence_dely" is not a key of phones (did you mean fence_delay? allowed: ios, accuracy,'
    )


def test_stores_that_the_service_or_a_shopper_cannot_read_are_told_at_their_key(tmp_path: Path) -> None:
    text = "scenario: s\ncity: {stores: bad.geojson}\nshoppers: {buyer: 3}\n"
    features = json.loads((CITY / "stores.geojson").read_text(encoding="utf-8"))["features"][:1]
    for properties, expected in (
        ({"name": None}, "a store needs a name"),
        ({"opening_hours": "Mo-Fr 09:00-12:00; PH off"}, "shoppers cannot walk in this city"),
    ):
        feature = {**features[0], "properties": {**features[0]["properties"], **properties}, "id": "one"}
        document = {"type": "FeatureCollection", "features": [feature]}
        (tmp_path / "bad.geojson").write_text(json.dumps(document), encoding="utf-8")
        with pytest.raises(ScenarioProblems, match=expected):
            read_scenario(text, "s.yaml", folder=tmp_path)
        assert problems(text, tmp_path) == ["2:16 stores"]


def test_a_city_without_scenery_has_people_all_around(tmp_path: Path) -> None:
    (tmp_path / "stores.geojson").write_bytes((CITY / "stores.geojson").read_bytes())
    path = tmp_path / "mine.yaml"
    path.write_text("scenario: s\ncity: {stores: stores.geojson}\nshoppers: {buyer: 3}\n", encoding="utf-8")
    assert len(load_scenario(str(path)).world.places) == 20 * 12


def test_five_scenarios_come_with_m2s_and_are_named_as_their_files() -> None:
    assert set(shipped()) == {"high_street", "mall", "retail_park", "bakery_chain", "beacon_aisles"}
    for name in shipped():
        assert load_scenario(name).id == name


def test_a_name_that_is_neither_a_file_nor_a_scenario_is_refused_with_those_that_are() -> None:
    with pytest.raises(Invalid, match=r"no file hihg_street, .* bakery_chain, beacon_aisles, high_street"):
        load_scenario("hihg_street")


def test_every_key_of_phones_and_beacons_is_explained_in_the_document() -> None:
    told = (ROOT / "docs/simulate.md").read_text(encoding="utf-8")
    assert [key for key in (*_PHONES, *_RADIO, *_FAULTS) if f"`{key}`" not in told] == []
