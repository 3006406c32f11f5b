"""What is said of the clock, by what is known of it?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from m2s.app.doctor import clock_finding

NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written_s", "ahead_s", "synchronised", "well", "said"),
    [
        (None, None, None, True, "nothing says that it is wrong"),
        (None, None, True, True, "it is kept right"),
        (None, None, False, True, "nothing keeps it right"),
        (-3600, 2, False, True, "it is that of the providers"),
        (30, None, True, True, "it is kept right"),
        (31, None, True, False, "before the last write, by 0:00:31"),
        (3600, 0, True, False, "before the last write, by 1:00:00"),
        (None, 31, True, False, "behind the clock of a provider by 0:00:31"),
        (None, -90, None, False, "ahead of the clock of a provider by 0:01:30"),
    ],
)
def test_the_clock_is_judged_by_the_last_write_then_by_providers_then_by_the_system(
    written_s: int | None, ahead_s: int | None, synchronised: bool | None, well: bool, said: str
) -> None:
    found = clock_finding(
        NOW,
        written_at=None if written_s is None else NOW + timedelta(seconds=written_s),
        ahead=None if ahead_s is None else timedelta(seconds=ahead_s),
        synchronised=synchronised,
    )
    assert found.well == well
    assert said in found.said
    assert well or found.advice
