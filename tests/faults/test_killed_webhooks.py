"""Does every event of what was acknowledged reach the retailer, and none of what was not, when the server is killed?"""

from __future__ import annotations

import io
import json
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import httpx2
from standardwebhooks import Webhook

from m2s.adapters.runtime.clock import SteppedClock
from m2s.adapters.runtime.ids import SystemIds
from m2s.bootstrap import World, build_engine
from m2s.settings import Settings
from tests.faults.process import Process
from tests.faults.site import STORES, Site, furnish
from tests.faults.size import times
from tests.providers.running import Running, running

KILLS = times(4, nightly=25)
A_LIFE = 400
"""Coupons that one server is asked to redeem before it is killed, if it comes so far."""


def configured(site: Site) -> tuple[str, ...]:
    """How a server is started that may call this machine."""
    file = site.database.with_name("m2s.toml")
    file.write_text('webhook_networks = ["127.0.0.0/8"]\n')
    return ("-m", "m2s", "serve", "--config", str(file))


def redeemed(site: Site, codes: list[str], key: str) -> list[str]:
    """The codes whose redemption was acknowledged, until the server is gone."""
    done = []
    with httpx2.Client(base_url=site.url, headers={"authorization": f"Bearer {key}"}) as client:
        for code in codes:
            try:
                answer = client.post("/v1/redemptions", json={"code": code, "store_id": STORES[0]})
            except httpx2.TransportError:
                break
            assert answer.status_code == 201, answer.text
            done.append(code)
    return done


def settings_of(site: Site) -> Settings:
    return Settings(database_url=f"sqlite:///{site.database}", webhook_networks=["127.0.0.0/8"])


def drained(site: Site) -> None:
    """Tells what waits, on a clock on which every wait of the schedule is over."""
    clock = SteppedClock(datetime.now(UTC) + timedelta(hours=1))
    engine = build_engine(settings_of(site), world=World(clock, SystemIds(clock), io.StringIO()))
    try:
        while engine.notify.run(clock.now()):
            clock.advance(timedelta(hours=6))
    finally:
        engine.stop()


def in_the_ledger(site: Site) -> set[str]:
    """The codes that the database says were redeemed."""
    engine = build_engine(settings_of(site))
    try:
        with engine.database.read() as records:
            rows = [records.coupons.coupon(code) for code in site.coupons]
        return {row.code for row in rows if row is not None and row.state == "redeemed"}
    finally:
        engine.stop()


def test_no_event_is_lost_and_none_made_up_however_often_it_is_killed(tmp_path: Path) -> None:
    rng = Random(7)
    site = furnish(tmp_path, seed=7, devices=4, coupons=KILLS * A_LIFE, tills=1)
    with running("receiver", tmp_path / "receiver", {}) as receiver:
        engine = build_engine(settings_of(site))
        secret = engine.webhooks.add(receiver.url, ["coupon.redeemed"]).secret
        engine.stop()
        acknowledged = lives(site, receiver, rng)
        drained(site)
        arrived = defaultdict(set)
        for row in receiver.accepted():
            at = datetime.fromtimestamp(int(row["headers"]["webhook-timestamp"]), UTC)
            signature = Webhook(secret).sign(row["headers"]["webhook-id"], at, row["body"])
            assert row["headers"]["webhook-signature"] == signature
            arrived[json.loads(row["body"])["data"]["code"]].add(row["headers"]["webhook-id"])
        repeats = len(receiver.accepted()) - len(arrived)
    print(f"{KILLS} kills: {len(acknowledged)} acknowledged, {len(arrived)} arrived, {repeats} came again")
    assert acknowledged
    assert acknowledged <= set(arrived)
    assert set(arrived) == in_the_ledger(site), "told is what is kept, no more and no less"
    assert all(len(ids) == 1 for ids in arrived.values()), "what comes again has the same id"


def lives(site: Site, receiver: Running, rng: Random) -> set[str]:
    """Servers that are killed while they redeem and tell; the codes that they acknowledged."""
    acknowledged: set[str] = set()
    arguments = configured(site)
    with ThreadPoolExecutor(1) as till:
        for life in range(KILLS):
            codes = list(site.coupons)[life * A_LIFE : (life + 1) * A_LIFE]
            with Process(site, arguments) as server:
                server.wait_until_listening()
                receiver.order({"do": "cut"}, {"do": "slow", "s": 0.3})
                working = till.submit(redeemed, site, codes, site.tills[0])
                time.sleep(rng.uniform(0.8, 2.0))
                server.kill()
            acknowledged |= set(working.result())
    return acknowledged
