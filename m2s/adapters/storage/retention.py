"""How is a day of the ledger dropped without a halt? In pieces, each a run of rows in the order of their arrival.

Rows are numbered as they arrive, so what is too old stands at the beginning; no index on time is needed.
"""

import sqlalchemy as sa

from m2s.adapters.storage.direct import read
from m2s.adapters.storage.tables import evidence, sightings
from m2s.app.upkeep import Piece


class SqlRetention:
    """Drops what is too old from the ledgers of the hot path."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def drop_sightings(
        self, before_ms: int, *, now_ms: int, after_seq: int, limit: int, all_of_them: bool = False
    ) -> Piece:
        """Drops, among the next `limit` sightings after `after_seq`, those received before an instant.

        There may be more where the last was old, or to the end where `all_of_them` are to be looked at.
        """
        return self._drop(_SIGHTINGS, (before_ms, now_ms, after_seq, limit), all_of_them=all_of_them)

    def drop_evidence(self, before_ms: int, *, now_ms: int, after_seq: int, limit: int) -> Piece:
        """Drops, among the next `limit` rows of evidence after `after_seq`, those of before an instant."""
        return self._drop(_EVIDENCE, (before_ms, now_ms, after_seq, limit))

    def _drop(
        self, texts: tuple[str, str], bounds: tuple[int, int, int, int], *, all_of_them: bool = False
    ) -> Piece:
        before_ms, now_ms, after_seq, limit = bounds
        look, drop = texts
        ((last_seq, seen, old, young),) = read(
            self._connection, look, (before_ms, before_ms, now_ms, after_seq, limit)
        )
        if last_seq is None:
            return Piece(0, after_seq, more=False)
        if old:
            self._connection.exec_driver_sql(drop, (after_seq, last_seq, before_ms))
        # Rows from the future, written while the clock was wrong, must not hide old ones behind them.
        return Piece(old, last_seq, more=seen == limit and (all_of_them or bool(old) or not young))


def _texts(table: sa.Table, at: sa.Column[int]) -> tuple[str, str]:
    look = (
        f"SELECT max(seq), count(*), sum(at < ?), sum(at BETWEEN ? AND ?) FROM "  # noqa: S608
        f"(SELECT seq, {at.name} AS at FROM {table.name} WHERE seq > ? ORDER BY seq LIMIT ?)"
    )
    drop = f"DELETE FROM {table.name} WHERE seq > ? AND seq <= ? AND {at.name} < ?"  # noqa: S608
    return look, drop


_SIGHTINGS = _texts(sightings, sightings.c.received_at_ms)
_EVIDENCE = _texts(evidence, evidence.c.at_ms)
