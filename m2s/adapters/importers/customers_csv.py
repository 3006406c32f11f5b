"""Who is on the retailer's own base? One line a customer, with what she agreed to, when, where and to which text."""

from collections.abc import Iterable, Iterator, Mapping

from m2s.adapters.importers.rows_csv import PIVOTS, BadCell, Line, instant, needed, pivots, read_lines, text
from m2s.app.inputs import BaseRow, Statement
from m2s.app.rows import ConsentRow

CONSENTS = {"sms": "marketing", "push": "marketing", "webhook": "marketing", "location": "location"}
"""The purpose of each consent that a file can hold; all but location are of a channel."""

_PARTS = ("", "_at", "_source", "_text_version")
_KNOWN = (
    *PIVOTS,
    *("since", "last_purchase_at"),
    *(f"{name}_consent{part}" for name in CONSENTS for part in _PARTS),
)
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")


def read_customers(lines: Iterable[str]) -> Iterator[Line]:
    """The customers of the lines of a CSV text; see `read_lines`."""
    return read_lines(lines, _customer, required=(), known=_KNOWN)


def _customer(cells: Mapping[str, str]) -> BaseRow:
    return BaseRow(
        pivots=pivots(cells),
        since=instant(cells, "since", day_ends=False),
        last_purchase_at=instant(cells, "last_purchase_at", day_ends=False),
        statements=tuple(_statement(cells, name) for name in CONSENTS if _said(cells, name)),
    )


def _said(cells: Mapping[str, str], name: str) -> bool:
    if f"{name}_consent" in cells:
        return True
    if any(f"{name}_consent{part}" in cells for part in _PARTS):
        raise BadCell(f"{name}_consent: write yes or no")
    return False


def _statement(cells: Mapping[str, str], name: str) -> Statement:
    word = cells[f"{name}_consent"].lower()
    if word not in (*_YES, *_NO):
        raise BadCell(f"{name}_consent: write yes or no")
    granted = word in _YES
    # Of a day nobody knows the hour: a grant counts from its beginning, a withdrawal until its end.
    at = instant(cells, f"{name}_consent_at", day_ends=not granted)
    if at is None:
        raise BadCell(f"{name}_consent_at: the cell is empty; when was it said?")
    said = ConsentRow(
        purpose=CONSENTS[name],
        channel=None if name == "location" else name,
        granted=granted,
        text_version=needed(cells, f"{name}_consent_text_version") if granted else _text(cells, name),
        at=at,
    )
    return Statement(said, needed(cells, f"{name}_consent_source"))


def _text(cells: Mapping[str, str], name: str) -> str:
    """The text of a withdrawal, which needs none."""
    return text(cells, f"{name}_consent_text_version") or "withdrawn"
