"""`m2s simulate`: counted, written to a file, and through the real service, whose clock is its own or a stepped one."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest

from beacons.sim.back_office import opened
from beacons.sim.scenario import Scenario
from beacons.sim.simulation import Crowd, Simulation, StepReport
from beacons.sim.truth import MeasuredVisit, Truth, score
from m2s.app.access import Role
from m2s.bootstrap import TRACE_READERS, DemoEngine, Engine, Reading, build_demo_engine
from m2s.entry.cli.scenario_file import load_scenario, read_scenario, shipped
from m2s.entry.cli.server import Server
from m2s.entry.cli.simulating import sent
from tests.changed import replace
from tests.entry.cli.conftest import Shell, serving

SMALL = """\
scenario: small
city: {town: bakery_chain, shops: 3}
shoppers: {buyer: 6, passer_by: 6, queue: 2, staff: 1}
"""
OFFER = """\
campaign: come-in
name: Come in
stores: {all: true}
holdout: 0%
offers:
  - offer: come-in
    trigger: {near: vicinity}
    fresh: 10m
    channels: [push]
    valid_for: 60m
    coupon: {value: 1.00 EUR, min_basket: 5.00 EUR, expires: closing}
    message:
      push:
        title: {en: "Come in", fr: "Entrez"}
        body:
          en: "{value} from {min_basket} until {expires}. Code {code}"
          fr: "{value} des {min_basket} jusqu'au {expires}. Code {code}"
"""


@pytest.fixture
def small(shell: Shell) -> Shell:
    (shell.folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    return shell


@contextmanager
def stepped(
    folder: Path, scenario: Scenario, *, campaign: str | None = None
) -> Iterator[tuple[DemoEngine, Simulation]]:
    """A scenario against a real service over HTTP that shares the simulation's clock."""
    folder.mkdir(exist_ok=True)
    wired = build_demo_engine(folder, start=scenario.midnight(), seed=1, screens=io.StringIO())
    server = Server(wired.engine, port=0, heartbeat=False)
    server.start()
    try:
        _, admin = wired.engine.access.create_key(Role.ADMIN)
        with (
            httpx2.Client(base_url=server.url, timeout=60) as client,
            opened(client, admin, stores=scenario.stores) as api,
        ):
            if campaign is not None:
                wired.engine.publish.apply_campaign(None, campaign, file="campaign.yaml")
            yield wired, scenario.simulation(api)
    finally:
        server.stop()


def run(wired: DemoEngine, simulation: Simulation, *, jobs_every_min: int = 20) -> StepReport:
    simulation.register()
    total = StepReport()
    for now in simulation.instants():
        wired.clock.set(now)
        total = total.plus(simulation.step(now))
        if now.minute % jobs_every_min == 0:
            wired.engine.jobs.run_due(now)
    return total


def measured(engine: Engine, scenario: Scenario, truth: Truth) -> list[MeasuredVisit]:
    start = scenario.midnight()
    with engine.database.read() as records:
        visits = records.reports.visits(start, start + timedelta(days=2), kinds=("visit",))
        devices = records.devices.devices(truth.people).values()
    device_of = {device.shopper_id: device.id for device in devices}
    return [MeasuredVisit(device_of[v.shopper_id], v.store_id, v.start_at, v.end_at) for v in visits]


@pytest.mark.parametrize("name", shipped())
def test_each_scenario_that_comes_with_m2s_runs_through_the_real_service(name: str, tmp_path: Path) -> None:
    whole = load_scenario(name)
    crowd = replace(whole.crowd, buyers=10, passers_by=8, drivers=2, staff=1)
    crowd = replace(crowd, queue=min(crowd.queue, 3), residents=min(crowd.residents, 1))
    scenario = replace(whole, crowd=replace(crowd, mall_neighbours=min(crowd.mall_neighbours, 4)))
    with stepped(tmp_path, scenario) as (wired, simulation):
        total = run(wired, simulation)
        visits = measured(wired.engine, scenario, simulation.truth)
        assert set(wired.engine.catalog().stores) == set(scenario.world.shops)
    assert (total.rejected, total.on_the_way) == (0, 0)
    assert total.accepted + total.away + total.duplicates == total.sightings > 300
    assert score(simulation.truth.visits, visits).recall > 0.4
    assert [key.revoked_at for key in wired.engine.access.list() if key.role != "admin"].count(None) == 0


def test_messages_move_those_who_get_them_and_their_coupons_are_redeemed(tmp_path: Path) -> None:
    base = read_scenario(SMALL, "small.yaml", folder=tmp_path)
    crowd = Crowd(buyers=4, passers_by=30, drivers=0, staff=0)
    scenario = replace(base, crowd=crowd, effects={"come-in": 1.0})
    with stepped(tmp_path, scenario, campaign=OFFER) as (wired, simulation):
        total = run(wired, simulation, jobs_every_min=4)
    unplanned = [visit for visit in simulation.truth.visits if not visit.planned]
    assert total.offers_announced > 5
    assert len(unplanned) == total.detours > 0
    assert total.redemptions == len(simulation.truth.redemptions) > 0


def test_a_day_is_sent_to_a_service_with_a_real_clock_as_of_yesterday(small: Shell) -> None:
    small.run("init")
    admin = small.run("keys", "create", "--role", "admin").stdout.strip()
    with serving(small) as (_, url):
        words = ("simulate", "small.yaml", "--url", url, "--key", admin, "--truth", "truth.jsonl", "--json")
        result = small.run(*words)
        figures = json.loads(result.stdout)
        rows = json.loads(small.run("report", "visits", "--json").stdout)["rows"]
        keys = json.loads(small.run("keys", "list", "--json").stdout)["keys"]
    zone = ZoneInfo("Europe/Paris")
    start, until = (datetime.fromisoformat(figures[name]) for name in ("from", "until"))
    assert timedelta(0) < datetime.now(zone) - start < timedelta(hours=50)
    assert (start.hour, start.minute) == (0, 0)
    assert until - start >= timedelta(days=1)
    assert figures["rejected"] == 0
    assert figures["accepted"] + figures["away"] + figures["duplicates"] == figures["sightings"] > 100
    truth = [json.loads(line) for line in Path("truth.jsonl").read_text(encoding="utf-8").splitlines()]
    true_visits = [line for line in truth if line["truth"] == "visit"]
    assert len(true_visits) == figures["true_visits"] > 0
    assert {row["day"] for row in rows} == {start.date().isoformat()}
    assert 0.5 * len(true_visits) <= sum(row["visits"] for row in rows) <= 1.5 * len(true_visits)
    assert [key for key in keys if key["role"] == "till" and key["revoked_at"] is None] == []
    assert "100%" in result.stderr


def test_at_speed_1_the_simulated_day_is_today_and_its_clock_is_never_ahead(small: Shell) -> None:
    small.run("init")
    admin = small.run("keys", "create", "--role", "admin").stdout.strip()
    scenario = load_scenario("small.yaml")
    with serving(small) as (_, url), sent(scenario, url, key=admin, speed=1) as going:
        for moment in going.moments():
            real = datetime.now(moment.now.tzinfo)
            assert moment.now <= real
            assert moment.now.date() == real.date() or real.hour == 0
            if real - moment.now < timedelta(minutes=2):
                break
        assert going.figures()["rejected"] == 0


def test_what_would_run_is_counted_without_a_service(small: Shell) -> None:
    counted = json.loads(small.run("simulate", "small.yaml", "--dry-run", "--json", "--days", "3").stdout)
    assert (counted["scenario"], counted["days"], counted["person_days"]) == ("small", 3, 45)
    assert counted["people"]["queue"] == 2
    told = small.run("simulate", "mall", "--dry-run", "--seed", "9").stdout
    assert "people: mall neighbour" in told
    assert "seed                        9" in told


def test_a_file_holds_every_request_and_then_the_truth_and_the_same_seed_the_same_bytes(small: Shell) -> None:
    figures = json.loads(small.run("simulate", "small.yaml", "--out", "a.jsonl", "--json").stdout)
    small.run("simulate", "small.yaml", "--out", "b.jsonl")
    small.run("simulate", "small.yaml", "--out", "c.jsonl", "--seed", "8")
    a, b, c = (Path(name).read_bytes() for name in ("a.jsonl", "b.jsonl", "c.jsonl"))
    assert a == b != c
    lines = [json.loads(line) for line in a.splitlines()]
    requests = [line for line in lines if "sightings" in line]
    assert all(set(line) == {"device_id", "received_at", "sent_at", "sightings"} for line in requests)
    assert sum(len(line["sightings"]) for line in requests) == figures["sightings"]
    assert [line["truth"] for line in lines[len(requests) :]].count("visit") == figures["true_visits"] > 0
    recording = TRACE_READERS["jsonl"](a, Reading(None, 10.0))
    assert {one.reason for one in recording.left_out} <= {"not_sighting", "repeat"}
    assert len(recording.traces) == 15


def test_a_day_goes_by_as_fast_as_said(small: Shell) -> None:
    figures = json.loads(
        small.run("simulate", "small.yaml", "--out", "a.jsonl", "--speed", "43200", "--json").stdout
    )
    assert 2 <= figures["wall_s"] < 30


def test_ctrl_c_ends_it_with_what_came_of_it_so_far(small: Shell) -> None:
    process = small.start("simulate", "small.yaml", "--out", "a.jsonl", "--speed", "3000")
    assert process.stderr is not None
    assert process.stderr.readline().startswith(" 10%")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err.endswith("stopped; this is what came of it so far\n")
    assert "true visits" in out
    last: dict[str, Any] = json.loads(Path("a.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert last["truth"] in ("person", "visit", "beacon")


def test_problems_of_a_scenario_are_told_with_the_line_that_holds_them(small: Shell) -> None:
    Path("bad.yaml").write_text(SMALL + "phones: {ios: 150%}\nseed: many\n", encoding="utf-8")
    told = small.run("simulate", "bad.yaml", "--dry-run", code=1).stderr
    assert 'bad.yaml:4:15: "150%" is not such a percentage (from 0% to 100%, as in 15%)' in told
    assert "4 | phones: {ios: 150%}\n  |               ^" in told
    assert told.endswith("2 problems\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("small.yaml", "--key", "k", "--url", "http://127.0.0.1:9"), "is `m2s serve` running there?"),
        (("small.yaml", "--key", "k", "--days", "3"), "simulate fewer days"),
        (("small.yaml", "--out", "none/a.jsonl"), "none/a.jsonl: no such file or directory"),
        (("small.yaml", "--out", "a.jsonl", "--truth", "none/t.jsonl"), "none/t.jsonl: no such file"),
        (("nowhere.yaml", "--dry-run"), "there is no file nowhere.yaml"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(small: Shell, words: tuple[str, ...], told: str) -> None:
    (line,) = small.run("simulate", *words, code=1).stderr.splitlines()
    assert line.startswith("m2s: ")
    assert told in line


def test_a_key_that_is_not_an_admins_is_refused_with_the_services_answer(small: Shell) -> None:
    small.run("init")
    manager = small.run("keys", "create", "--role", "manager").stdout.strip()
    with serving(small) as (_, url):
        told = small.run("simulate", "small.yaml", "--url", url, "--key", manager, code=1).stderr
    assert "refuses POST /v1/keys: 403" in told


def test_the_beacons_of_one_town_cannot_hang_in_another_on_the_same_service(small: Shell) -> None:
    small.run("init")
    admin = small.run("keys", "create", "--role", "admin").stdout.strip()
    (small.folder / "mall.yaml").write_text(SMALL.replace("bakery_chain", "mall"), encoding="utf-8")
    stores = small.folder / "stores-of-the-bakeries.geojson"
    stores.write_text(json.dumps(load_scenario("small.yaml").stores), encoding="utf-8")
    small.run("stores", "import", stores.name)
    with serving(small) as (_, url):
        told = small.run("simulate", "mall.yaml", "--url", url, "--key", admin, code=1).stderr
    assert "beside the 3 that it has; take a service of its own: PUT /v1/stores: 422" in told


def test_sending_without_a_key_is_wrong_usage(small: Shell) -> None:
    assert "--out FILE writes without a service" in small.run("simulate", "small.yaml", code=2).stderr
