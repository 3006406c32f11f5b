"""What log lines show, and what they never show."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from m2s.adapters.runtime.logs import configure_logs


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logs(stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_an_event_is_one_line_of_keys_and_values(lines: io.StringIO) -> None:
    structlog.get_logger().warning("plan.skipped", offer_id="warm-croissant", late=True)
    stamp, level, event, *rest = lines.getvalue().removesuffix("\n").split(" ")
    assert stamp.startswith("timestamp=20")
    assert (level, event) == ("level=warning", "event=plan.skipped")
    assert rest == ["offer_id=warm-croissant", "late=true"]


def test_libraries_log_in_the_same_form(lines: io.StringIO) -> None:
    logging.getLogger("some.library").warning("slow after %d s", 3)
    assert 'level=warning event="slow after 3 s"' in lines.getvalue()


def test_a_failure_stays_on_one_line(lines: io.StringIO) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        structlog.get_logger().exception("job.failed")
    assert len(lines.getvalue().splitlines()) == 1
    assert "ValueError" in lines.getvalue()


@pytest.mark.parametrize(
    "private",
    [
        {"phone": "0612345678"},
        {"push_token": "apns-1234"},
        {"latitude": 43.73841},
        {"detail": {"longitude": 7.42461}},
        {"rows": [{"coordinates": [7.42461, 43.73841]}]},
        {"headers": "Authorization: Bearer abcdef"},
        {"note": "called +33612345678 again"},
        {"note": "key pk_admin_drpp80za_gYiXoFOiO6LMN0p-Ua2fJlYeUoXhCkIQT-FsYeXfmDg"},
        {"note": "token dt_gYiXoFOiO6LMN0p-Ua2fJlYeUoXhCkIQT-FsYeXfmDg"},
        {"note": "INSERT failed [parameters: ('dev_1', 43.73841)]"},
    ],
    ids=str,
)
def test_what_belongs_to_people_is_hidden(lines: io.StringIO, private: dict[str, object]) -> None:
    structlog.get_logger().error("refused", **private)
    logging.getLogger("library").error("refused %s", private.get("note", ""))
    secrets = ("0612345678", "33612345678", "apns-1234", "7.42461", "43.73841", "abcdef", "gYiXoFOiO6L")
    assert [secret for secret in secrets if secret in lines.getvalue()] == []
    assert "(hidden)" in lines.getvalue()


def test_a_secret_in_a_failure_is_hidden(lines: io.StringIO) -> None:
    try:
        raise ValueError("no device with +33612345678")
    except ValueError:
        logging.getLogger("library").exception("failed")
    assert "33612345678" not in lines.getvalue()
    assert "no device with (hidden)" in lines.getvalue()
