"""What every test of a channel needs: a wire that ends with the test, and a message that is still good."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from m2s.adapters.channels.wire import Wire
from m2s.app.rows import MessageRow
from tests.adapters.channels.rows import MESSAGE
from tests.changed import replace


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire(loopback_only=True)
    yield made
    made.close()


@pytest.fixture
def message() -> MessageRow:
    return replace(MESSAGE, valid_until=datetime.now(UTC) + timedelta(minutes=45))
