from __future__ import annotations

import pytest

from m2s.core.measure.optout import too_many


@pytest.mark.parametrize(
    ("opted_out", "delivered", "pause"),
    [
        pytest.param(6, 200, False, id="the lower bound is .0138"),
        pytest.param(12, 300, True, id="the lower bound is .0230"),
        pytest.param(20, 500, True, id="the lower bound is .0260"),
        pytest.param(199, 199, False, id="too few to say"),
        pytest.param(0, 0, False, id="nothing left"),
    ],
)
def test_a_campaign_pauses_when_its_opt_outs_are_surely_too_many(
    opted_out: int, delivered: int, pause: bool
) -> None:
    assert too_many(opted_out, delivered=delivered) is pause
