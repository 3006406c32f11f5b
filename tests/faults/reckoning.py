"""Did a site lose, double or half apply anything? Its file, read with no server, against what clients were told."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from m2s.adapters.storage.engine import driver
from m2s.bootstrap import open_desk
from m2s.core.base.instants import to_ms
from m2s.core.places.zone import PREMISES
from m2s.core.presence.visit import classify, stays, visit_id
from m2s.settings import Settings
from tests.faults.clients import Phones, Till
from tests.faults.site import Site

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_integrity(database: Path) -> None:
    """Fails when SQLite finds a flaw. Looks at a copy, so that the next server has all the mending to do itself."""
    with _copied(database) as copy, closing(driver().connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def check_sightings(site: Site, clients: Iterable[Phones], *, stored: int = 0) -> int:
    """Every acknowledged sighting is kept once, with its evidence; returns how many were acknowledged.

    The first `stored` rows were there before.
    """
    posted, acknowledged, inside = set(), set(), set()
    for client in clients:
        posted |= client.posted
        acknowledged |= client.acknowledged
        inside |= client.inside
    kept = _rows(site, "SELECT device_id, sighting_id FROM sightings WHERE seq > ?", stored)
    assert acknowledged, "nothing was acknowledged, so nothing could be lost"
    assert len(set(kept)) == len(kept), "a sighting is kept twice"
    assert acknowledged - set(kept) == set(), "an acknowledged sighting is lost"
    assert set(kept) - posted == set(), "a sighting is kept that nobody posted"
    seen = _rows(site, "SELECT device_id, sighting_id, store_id, zone_id FROM evidence")
    assert len(set(seen)) == len(seen), "evidence is kept twice"
    proved = {(row[0], row[1]) for row in seen if row[3] == PREMISES}
    assert (inside & set(kept)) - proved == set(), "a sighting is kept without its evidence"
    return len(acknowledged)


def check_visits(site: Site) -> int:
    """The visits that are kept are those that all evidence tells, folded anew; returns how many there are."""
    told = set()
    with (
        open_desk(Settings(database_url=f"sqlite:///{site.database}"), read_only=True) as desk,
        desk.database.read() as records,
    ):
        catalog = desk.catalog()
        pairs = _rows(site, "SELECT DISTINCT shopper_id, store_id FROM evidence")
        proofs = records.coupons.redemption_times({pair[0] for pair in pairs}, _EPOCH)
        for shopper_id, store_id in pairs:
            rules = catalog.rules[store_id, PREMISES]
            redeemed = [to_ms(at) for at in proofs.get((shopper_id, store_id), [])]
            rows = records.sightings.evidence(shopper_id, store_id, 0)
            for stay in stays(rows, rules, proofs_ms=redeemed):
                name = visit_id(shopper_id, store_id, stay=stay)
                kind = classify(stay, rules, open_share=None)
                told.add((name, stay.start_ms, stay.end_ms, stay.dwell_s, kind.value, stay.confidence.value))
    kept = _rows(site, "SELECT id, start_at, end_at, dwell_s, kind, confidence FROM visits")
    assert told, "there is no visit, so none could be wrong"
    assert set(kept) == told, "the visits are not those that the evidence tells"
    return len(told)


def check_redemptions(site: Site, tills: Iterable[Till]) -> int:
    """Each coupon is redeemed once at most and as its tills were told; returns how many were acknowledged."""
    kept = dict(_rows(site, "SELECT id, code FROM redemptions"))
    assert len(set(kept.values())) == len(kept), "a coupon is redeemed twice"
    marked = _rows(site, "SELECT redemption_id, code FROM coupons WHERE state = 'redeemed'")
    assert dict(marked) == kept, "coupons and redemptions differ"
    answers: dict[str, list[tuple[int, str | None]]] = {}
    for till in tills:
        for code, answer in till.answers.items():
            answers.setdefault(code, []).append(answer)
    acknowledged = {
        name: code for code, all_of in answers.items() for status, name in all_of if status == 201
    }
    assert acknowledged, "nothing was redeemed, so nothing could be lost"
    assert acknowledged.items() <= kept.items(), "an acknowledged redemption is lost"
    raced = {code: sorted(status for status, _ in both) for code, both in answers.items() if len(both) > 1}
    assert all(statuses == [201, 409] for statuses in raced.values()), "not one of two tills got the coupon"
    return len(acknowledged)


def check_offers(site: Site) -> None:
    """No decision is half applied: whatever is sent has its message and its coupon, and nothing else has."""
    sent = set(_rows(site, "SELECT id FROM decisions WHERE outcome = 'send'"))
    assert set(_rows(site, "SELECT decision_id FROM messages")) == sent
    issued = set(site.coupons)
    coupons = _rows(site, "SELECT code, decision_id FROM coupons")
    assert {(decision_id,) for code, decision_id in coupons if code not in issued} == sent


def check_all(site: Site, phones: Iterable[Phones], tills: Iterable[Till]) -> str:
    """Every check, and in one line how much there was to lose."""
    check_integrity(site.database)
    sightings = check_sightings(site, phones)
    visits = check_visits(site)
    redemptions = check_redemptions(site, tills)
    check_offers(site)
    return f"{sightings} sightings and {redemptions} redemptions acknowledged, none lost; {visits} visits"


@contextmanager
def _copied(database: Path) -> Iterator[Path]:
    with TemporaryDirectory(dir=database.parent) as folder:
        for suffix in ("", "-wal"):
            file = database.with_name(database.name + suffix)
            if file.exists():
                shutil.copy(file, folder)
        yield Path(folder) / database.name


def _rows(site: Site, query: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(driver().connect(site.database)) as connection:
        return list(connection.execute(query, values))
