"""Who passed through a zone between two fixes? Remembered in memory only, and only while an offer asks."""

from collections.abc import Callable, Iterable, Sequence

from m2s.app.catalog import Catalog
from m2s.app.firing import Fired
from m2s.app.matching import ACCURACY_M, AT_MS, DEVICE, ID, LATITUDE, LONGITUDE, Matched, Row
from m2s.core.places.crossing import Way, ZoneKey

FORGOTTEN_MS = 600_000
"""Two fixes that are farther apart in time are not in succession; an offer is never fresh for longer, either."""

_Fix = tuple[int, float, float, float]
"""When (epoch milliseconds), latitude, longitude, accuracy in metres."""


class Crossings:
    """The last fix of each shopper, and the zones that she crossed lately; changed only by what was committed."""

    def __init__(self) -> None:
        self._last: dict[str, _Fix] = {}
        self._crossed: dict[tuple[str, ZoneKey], int] = {}

    def fired(self, matched: Matched, catalog: Catalog) -> tuple[list[Fired], Callable[[], None]]:
        """What fires as shoppers pass through zones, and what to call once it is committed.

        A zone that was crossed fires again only after ten minutes in which it was not.
        """
        if not catalog.crossing:
            return [], self._forget_all
        last: dict[str, _Fix] = {}
        steps: list[tuple[str, Row, _Fix, _Fix]] = []
        for shopper_id, rows in _rows(matched).items():
            before = self._last.get(shopper_id)
            for row in sorted(rows, key=lambda row: row[AT_MS]):
                fix = (row[AT_MS], row[LATITUDE], row[LONGITUDE], row[ACCURACY_M])
                if before is not None and fix[0] <= before[0]:
                    continue
                if before is not None and fix[0] - before[0] <= FORGOTTEN_MS:
                    steps.append((shopper_id, row, before, fix))
                last[shopper_id] = before = fix
        crossed: dict[tuple[str, ZoneKey], int] = {}
        fired = self._judge(steps, catalog, crossed=crossed)

        def publish() -> None:
            self._last |= last
            self._crossed |= crossed

        return fired, publish

    def forget(self, now_ms: int) -> None:
        """Drops what is too old to matter."""
        self._last = {name: fix for name, fix in self._last.items() if now_ms - fix[0] <= FORGOTTEN_MS}
        self._crossed = {name: at for name, at in self._crossed.items() if now_ms - at <= FORGOTTEN_MS}

    def _forget_all(self) -> None:
        if self._last:
            self._last, self._crossed = {}, {}

    def _judge(
        self,
        steps: Sequence[tuple[str, Row, _Fix, _Fix]],
        catalog: Catalog,
        *,
        crossed: dict[tuple[str, ZoneKey], int],
    ) -> list[Fired]:
        ways = [Way((before[1], before[2]), (fix[1], fix[2])) for _, _, before, fix in steps]
        fired = []
        for index, zone in catalog.crossing.crossed(ways):
            shopper_id, row, before, fix = steps[index]
            if max(before[3], fix[3]) > catalog.rules[zone].max_accuracy_m:
                continue
            lately = crossed.get((shopper_id, zone), self._crossed.get((shopper_id, zone)))
            crossed[shopper_id, zone] = fix[0]
            if lately is not None and fix[0] - lately <= FORGOTTEN_MS:
                continue
            fired += [
                Fired(live, "crossing", shopper_id, row[DEVICE], *zone, row[ID], fix[0], fix[0])
                for live in catalog.by_crossing[zone]
            ]
        return fired


def _rows(matched: Matched) -> dict[str, list[Row]]:
    """The believable fixes of a group by shopper."""
    rows: dict[str, list[Row]] = {}
    for number, batch in enumerate(matched.batches):
        found: Iterable[Row] = matched.believable(number)
        for row in found:
            rows.setdefault(batch.shoppers[row[DEVICE]], []).append(row)
    return rows
