"""In which cell of a library's floor is a phone? Fingerprints of windows against a look-up of the strongest beacon.

A session is what was recorded with no pause of 10 minutes. Each is left out in turn; the others are the survey. Ours is
the mean cell of the survey's readings whose windows are most alike; how many is chosen by leaving out each session of
the survey in turn. The baseline looks up the mean cell of the survey's readings with the same strongest beacon.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from accuracy.recordings import rows_of
from accuracy.scored import Compared, Score, compare_means, mean_ours
from accuracy.smoothers import OTHERS
from beacons.place import heard_windows
from beacons.ranging import valid_rssi, window_start
from beacons.smoothing import Smoother, median

READINGS = "ble/ibeacon_waldo_labeled.csv"
PAUSE_MS = 600_000
# A beacon that is not heard counts as one that is about as weak as a phone can hear.
UNHEARD_DBM = -100.0
NEIGHBOURS = (1, 3, 5, 10, 20)
NOISE_DB = 5.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What was heard of each beacon at one instant in one cell (column, row)."""

    at_ms: int
    session: int
    cell: tuple[int, int]
    rssi_dbm: dict[str, int]

    @property
    def strongest(self) -> str:
        """The beacon that is heard best."""
        return max(self.rssi_dbm, key=lambda beacon: (self.rssi_dbm[beacon], beacon))


@dataclass(frozen=True, slots=True)
class Prints:
    """The fingerprints of all readings: how far each two are apart, and the cell and session of each."""

    apart_db: np.ndarray
    cells: np.ndarray
    sessions: np.ndarray


Locate = Callable[[Prints, int], np.ndarray]
"""The cells found for a session that is left out."""


def evaluate(root: Path, *, seed: int) -> list[Compared]:
    """One verdict for each reading that lies in an accepted window."""
    readings = _readings(rows_of(root, READINGS))
    scores = _scores(readings, median, locate=_neighbours)
    beside = {
        f"by {name}": mean_ours(_scores(readings, smooth, locate=_neighbours))
        for name, smooth in OTHERS.items()
    }
    beside["by likelihood under 5 dB of noise"] = mean_ours(_scores(readings, median, locate=_likely))
    return [
        compare_means(
            "library cells", "mean error in cells", scores, seed=seed, less_is_better=True, beside=beside
        )
    ]


def _readings(rows: Sequence[dict[str, str]]) -> list[Reading]:
    # The local time has no offset and no change of clocks in a session: any zone gives the same windows.
    timed = sorted(
        (
            int(datetime.strptime(row["date"], "%m-%d-%Y %H:%M:%S").replace(tzinfo=UTC).timestamp()) * 1000,
            number,
        )
        for number, row in enumerate(reversed(rows), start=1)
    )
    readings, session, before_ms = [], 0, -PAUSE_MS
    for at_ms, number in timed:
        row = rows[-number]
        session += at_ms - before_ms > PAUSE_MS
        before_ms = at_ms
        heard = {name: int(row[name]) for name in row if name.startswith("b3") and valid_rssi(int(row[name]))}
        cell = ord(row["location"][0]) - ord("A"), int(row["location"][1:])
        readings.append(Reading(at_ms, session, cell, heard))
    return readings


def _scores(readings: Sequence[Reading], smooth: Smoother, *, locate: Locate) -> list[Score]:
    windows = {
        window.start_ms: window.rssi_dbm
        for window in heard_windows(
            ((one.at_ms, rssi, beacon) for one in readings for beacon, rssi in one.rssi_dbm.items()),
            smooth=smooth,
        )
    }
    judged = [one for one in readings if window_start(one.at_ms) in windows]
    beacons = sorted({beacon for one in readings for beacon in one.rssi_dbm})
    prints = np.array(
        [[windows[window_start(one.at_ms)].get(beacon, UNHEARD_DBM) for beacon in beacons] for one in judged]
    )
    cells, sessions = np.array([one.cell for one in judged]), np.array([one.session for one in judged])
    apart_db = np.linalg.norm(prints[:, None] - prints[None], axis=2)
    surveyed = Prints(apart_db, cells, sessions)
    ours, baseline = np.zeros(len(judged)), np.zeros(len(judged))
    for session in np.unique(sessions):
        out = sessions == session
        ours[out] = _errors(locate(surveyed, session), cells[out])
        baseline[out] = _errors(_looked_up(judged, ~out), cells)[out]
    return [Score(float(a), float(b), str(s)) for a, b, s in zip(ours, baseline, sessions, strict=True)]


def _neighbours(prints: Prints, left_out: int) -> np.ndarray:
    """The mean cell of the nearest; as many as have the least error in the survey, each of its sessions left out."""
    survey = prints.sessions != left_out
    errors = dict.fromkeys(NEIGHBOURS, 0.0)
    for session in np.unique(prints.sessions[survey]):
        out = prints.sessions == session
        for count in NEIGHBOURS:
            found = _nearest(prints, out, survey=survey & ~out, count=count)
            errors[count] += float(_errors(found, prints.cells[out]).sum())
    return _nearest(prints, ~survey, survey=survey, count=min(errors, key=errors.__getitem__))


def _nearest(prints: Prints, out: np.ndarray, *, survey: np.ndarray, count: int) -> np.ndarray:
    nearest = np.argsort(prints.apart_db[out][:, survey], axis=1, kind="stable")[:, :count]
    return np.asarray(prints.cells[survey][nearest].mean(axis=1))


def _likely(prints: Prints, left_out: int) -> np.ndarray:
    """The mean of the surveyed cells, each weighing as its print is likely to be the same but for normal noise."""
    survey = prints.sessions != left_out
    unlikely = (prints.apart_db[~survey][:, survey] / NOISE_DB) ** 2 / 2
    weights = np.exp(unlikely.min(axis=1, keepdims=True) - unlikely)
    return np.asarray(weights @ prints.cells[survey] / weights.sum(axis=1, keepdims=True))


def _looked_up(readings: Sequence[Reading], survey: np.ndarray) -> np.ndarray:
    """For every reading the mean cell of the survey's with the same strongest beacon, or of all where there is none."""
    held: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for one, surveyed in zip(readings, survey, strict=True):
        if surveyed:
            held[one.strongest].append(one.cell)
    anywhere = np.mean([cell for cells in held.values() for cell in cells], axis=0)
    means = {beacon: np.mean(cells, axis=0) for beacon, cells in held.items()}
    return np.array([means.get(one.strongest, anywhere) for one in readings])


def _errors(found: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Distance in cells, across and along."""
    return np.asarray(np.linalg.norm(found - cells, axis=1))
