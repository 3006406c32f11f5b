"""Budget, stock and pace are met exactly, however many come at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.app.town import Town, campaign, fix, open_town

PEOPLE, LIMIT = 40, 7


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = open_town(tmp_path)
    yield town
    town.engine.stop()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            campaign("rush", "come: {near: vicinity}").replace(
                "offers:", f"budget: {{messages: {LIMIT}}}\noffers:"
            ),
            "budget",
        ),
        (
            campaign(
                "rush", f"come: {{near: vicinity}}|coupon: {{value: 1.00 EUR, expires: 1d, stock: {LIMIT}}}"
            ),
            "stock",
        ),
        (
            campaign("rush", f"come: {{near: vicinity}}|limits: {{store_pace: {LIMIT} per hour}}").replace(
                "{all: true}", "{ids: [harbour]}"
            ),
            "store_pace",
        ),
    ],
    ids=["budget", "stock", "pace"],
)
def test_many_at_once_get_as_many_as_there_are(town: Town, text: str, reason: str) -> None:
    town.furnish(text)
    batches = [
        town.batch(town.device(f"p{number}"), fix(f"f{number}", "vicinity")) for number in range(PEOPLE)
    ]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda batch: town.engine.submit(batch).result(timeout=30), batches))
    assert all(answer.rejected == [] for answer in answers)
    outcomes = [(row.outcome, row.reason) for row in town.decisions()]
    sends = outcomes.count(("send", None))
    assert sends == LIMIT
    assert outcomes.count(("suppressed", reason)) >= PEOPLE - LIMIT
    assert town.rows("SELECT count(*) FROM messages") == [(LIMIT,)]
