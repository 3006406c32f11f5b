"""In which of three zones at a door is a tag? Windows of 30 s against single readings, by the same kind of rule.

Nine tags were kept inside, in the vestibule or outside for 20 minutes. Two cuts are learned on eight tags, on windows
for ours and on single readings for the baseline, and judge the ninth. The baseline's score of a window is the share of
the readings in it that are judged right.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np

from accuracy.cuts import learn
from accuracy.recordings import rows_of
from accuracy.scored import Compared, Score, compare_means
from accuracy.smoothers import OTHERS
from beacons.ranging import accepted_windows
from beacons.smoothing import Smoother, median

WINDOW_MS = 30_000
ZONES = ("INSIDE", "IN_VESTIBULE", "OUTSIDE")
FILES = {
    "one phone": ("ble/doorway_zones_raw.csv.gz", ("rssi_dbm",)),
    "two phones": ("ble/doorway_zones_filtered.csv.gz", ("rssi_phone1_dbm", "rssi_phone2_dbm")),
}


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag: its readings (time and one strength for each phone), and its zone by number."""

    name: str
    zone: int
    readings: Sequence[tuple[int, ...]]


class Verdict(NamedTuple):
    """What came of one window: the share of what was judged in it that was judged right."""

    share: float
    tag: str
    zone: str


def evaluate(root: Path, *, seed: int) -> list[Compared]:
    """Both recordings: by one phone, and by the two phones at the ends of the vestibule."""
    return [_compared(f"doorway, {phones}", _tags(root, *file), seed=seed) for phones, file in FILES.items()]


def _tags(root: Path, file: str, columns: tuple[str, ...]) -> list[Tag]:
    readings: dict[tuple[str, int], list[tuple[int, ...]]] = defaultdict(list)
    for row in rows_of(root, file):
        strengths = (int(row[column]) for column in columns)
        readings[row["tag_mac"], ZONES.index(row["zone"])].append((int(row["timestamp_ms"]), *strengths))
    return [Tag(name, zone, held) for (name, zone), held in sorted(readings.items())]


def _compared(name: str, tags: Sequence[Tag], *, seed: int) -> Compared:
    ours = _by_windows(tags, median)
    scores = [
        Score(one.share, single.share, one.tag, one.zone)
        for one, single in zip(ours, _by_singles(tags), strict=True)
    ]
    beside = {
        f"by {other}": fmean([one.share for one in _by_windows(tags, smooth)])
        for other, smooth in OTHERS.items()
    }
    return compare_means(name, "share of windows in the right zone of 3", scores, seed=seed, beside=beside)


def _by_windows(tags: Sequence[Tag], smooth: Smoother) -> list[Verdict]:
    return _left_out(
        tags, [[_features(np.array([window])) for window in _windows(tag, smooth).values()] for tag in tags]
    )


def _by_singles(tags: Sequence[Tag]) -> list[Verdict]:
    held = []
    for tag in tags:
        singles: dict[int, list[tuple[int, ...]]] = {start_ms: [] for start_ms in _windows(tag, median)}
        for at_ms, *strengths in tag.readings:
            if at_ms - at_ms % WINDOW_MS in singles:
                singles[at_ms - at_ms % WINDOW_MS].append(tuple(strengths))
        held.append([_features(np.array(readings)) for readings in singles.values()])
    return _left_out(tags, held)


def _left_out(tags: Sequence[Tag], held: Sequence[Sequence[np.ndarray]]) -> list[Verdict]:
    """The verdicts on each tag by what is learned on the others; `held` has the features in each window of each tag."""
    zones = [np.full(sum(map(len, windows)), tag.zone) for tag, windows in zip(tags, held, strict=True)]
    features = [np.concatenate(windows) for windows in held]
    found = []
    for number, tag in enumerate(tags):
        others = [other for other in range(len(tags)) if other != number]
        rule = learn(
            np.concatenate([features[o] for o in others]), np.concatenate([zones[o] for o in others])
        )
        for window in held[number]:
            right = float(np.mean(rule.judged(window) == tag.zone))
            found.append(Verdict(right, tag.name, ZONES[tag.zone]))
    return found


def _windows(tag: Tag, smooth: Smoother) -> dict[int, tuple[float, ...]]:
    """By start, the strength at each phone in the windows in which every phone has enough readings."""
    levels = []
    for phone in range(1, len(tag.readings[0])):
        samples = [(one[0], one[phone]) for one in tag.readings]
        windows = accepted_windows(samples, length_ms=WINDOW_MS, smooth=smooth)
        levels.append({window.start_ms: window.rssi_dbm for window in windows})
    starts = sorted(set.intersection(*map(set, levels)))
    return {start_ms: tuple(level[start_ms] for level in levels) for start_ms in starts}


def _features(strengths: np.ndarray) -> np.ndarray:
    """The strength at each phone, and between two how much stronger the first has it, to half a decibel.

    Readings are whole decibels: finer cuts would only follow noise.
    """
    halves = np.round(strengths * 2) / 2
    return halves if halves.shape[1] == 1 else np.column_stack([halves, halves[:, 0] - halves[:, 1]])
