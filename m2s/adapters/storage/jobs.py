"""Which heartbeat ticks are claimed? One unique row each."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from m2s.adapters.storage.tables import ticks


class SqlJobs:
    """Claims on heartbeat ticks."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def claim_tick(self, job: str, due: datetime, at: datetime) -> bool:
        """True for the first to claim this tick.

        A claim on a tick that is still to come was made before the clock was set back: from `due` on it counts no more.
        """
        ahead = sa.exists().where(ticks.c.job == job, ticks.c.due > max(due, at)).correlate(None)
        self._connection.execute(sa.delete(ticks).where(ticks.c.job == job, ticks.c.due >= due, ahead))
        claim = insert(ticks).on_conflict_do_nothing()
        return self._connection.execute(claim, {"job": job, "due": due, "claimed_at": at}).rowcount == 1

    def forget_ticks(self, before: datetime) -> None:
        """Drops claims on ticks that were due before an instant."""
        self._connection.execute(sa.delete(ticks).where(ticks.c.due < before))
