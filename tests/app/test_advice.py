"""Does the check of stores look at the evidence of the last weeks, of some shoppers of each store?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from m2s.app import advice
from m2s.app.advice import advise
from m2s.core.places.check import Finding
from m2s.core.presence.tuning import LEAST
from tests.app.town import HARBOUR, ROCK, Town, fix


def findings(town: Town) -> list[Finding]:
    with town.engine.database.read() as records:
        return advise(records, town.engine.catalog(), now=town.clock.now())


def short_stays(town: Town, shop: str, number: int) -> None:
    for n in range(number):
        device = town.device(f"{shop}{n}")
        town.post(device, fix(f"{n}-1", shop=shop, age_s=60), fix(f"{n}-2", shop=shop))


def test_what_the_evidence_says_of_each_store_is_told_and_which_have_too_little(town: Town) -> None:
    town.furnish()
    assert findings(town) == []
    short_stays(town, HARBOUR, LEAST)
    short_stays(town, ROCK, LEAST - 1)
    told = findings(town)
    assert [(found.store_id, found.code) for found in told] == [
        (HARBOUR, "short_stays"),
        (None, "too_few_stays"),
    ]
    assert told[1].detail.startswith("1 store has fewer than 30 stays")
    town.clock.advance(timedelta(days=29))
    assert findings(town) == []


def test_only_so_many_shoppers_of_each_store_are_looked_at(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.furnish()
    short_stays(town, HARBOUR, 35)
    short_stays(town, ROCK, 35)
    assert [found.detail for found in findings(town)] == ["100% of 35 stays are too short to be visits"] * 2
    monkeypatch.setattr(advice, "MOST_SHOPPERS", 32)
    assert [found.detail for found in findings(town)] == ["100% of 32 stays are too short to be visits"] * 2
