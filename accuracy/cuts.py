"""Which two cuts tell three classes apart best? The plainest rule there is, learned by trying all of them."""

from dataclasses import dataclass
from itertools import permutations

import numpy as np


@dataclass(frozen=True, slots=True)
class TwoCuts:
    """Above the first cut it is one class; of the rest, what is at most the second cut is another.

    `first` and `second` are a column of the features, the sign that it is taken with, and the cut.
    """

    first: tuple[int, int, float]
    second: tuple[int, int, float]
    classes: tuple[int, int, int]

    def judged(self, features: np.ndarray) -> np.ndarray:
        """The class of each row."""
        above, low, high = self.classes
        rest = np.where(_taken(features, self.second) <= self.second[2], low, high)
        return np.where(_taken(features, self.first) > self.first[2], above, rest)


def _taken(features: np.ndarray, cut: tuple[int, int, float]) -> np.ndarray:
    return features[:, cut[0]] * cut[1]


def learn(features: np.ndarray, classes: np.ndarray) -> TwoCuts:
    """The cuts with the best mean of the three classes' shares judged right; of equal ones the first tried."""
    columns = range(features.shape[1])
    best, found = -1.0, None
    for column, sign, other in ((c, s, o) for c in columns for s in (1, -1) for o in columns):
        cuts, first_rank = np.unique(features[:, column] * sign, return_inverse=True)
        other_cuts, second_rank = np.unique(features[:, other], return_inverse=True)
        counts = np.zeros((3, cuts.size, other_cuts.size))
        np.add.at(counts, (classes, first_rank, second_rank), 1)
        below = counts.cumsum(axis=1).cumsum(axis=2) / counts.sum(axis=(1, 2))[:, None, None]
        for above, low, high in permutations(range(3)):
            right = 1 - below[above, :, -1:] + below[low] + below[high, :, -1:] - below[high]
            row, place = np.unravel_index(right.argmax(), right.shape)
            if right[row, place] > best:
                best = float(right[row, place])
                found = TwoCuts(
                    (column, sign, float(cuts[row])), (other, 1, float(other_cuts[place])), (above, low, high)
                )
    if found is None:
        raise ValueError("there is no column to cut")
    return found
