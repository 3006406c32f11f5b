"""How many shoppers does it take to see an effect, and which effect can so many show? Two shares, normal approximation.

`share` is that of the held-out arm; power and level are those of a two-sided test. The formula is that of R's
power.prop.test, with arms of unequal size (Fleiss, Levin and Paik 2003, section 4.3, without continuity correction).
"""

from math import sqrt
from statistics import NormalDist

LEVEL, POWER = 0.05, 0.80
_NORMAL = NormalDist()


def shoppers_needed(
    base: float, treated: float, *, share: float, power: float = POWER, level: float = LEVEL
) -> float:
    """How many shoppers in both arms together show a difference between two outcome shares with this power.

    Raises ValueError for shares outside (0, 1), or two that are the same.
    """
    _check(base, treated, share=share)
    drawn, real = _errors(base, treated, share)
    z = _NORMAL.inv_cdf(1 - level / 2) * drawn + _NORMAL.inv_cdf(power) * real
    return (z / (treated - base)) ** 2


def power_of(base: float, treated: float, *, shoppers: float, share: float, level: float = LEVEL) -> float:
    """How probably so many shoppers in both arms together show a difference between two outcome shares."""
    _check(base, treated, share=share)
    drawn, real = _errors(base, treated, share)
    z = (sqrt(shoppers) * abs(treated - base) - _NORMAL.inv_cdf(1 - level / 2) * drawn) / real
    return _NORMAL.cdf(z)


def detectable(
    base: float, *, shoppers: float, share: float, power: float = POWER, level: float = LEVEL
) -> float | None:
    """The smallest rise of an outcome share that so many shoppers show with this power; None where none is enough."""
    low, high = base, 1.0
    almost = 1.0 - 1e-9
    if power_of(base, almost, shoppers=shoppers, share=share, level=level) < power:
        return None
    for _ in range(60):
        middle = (low + high) / 2
        if middle <= base or power_of(base, middle, shoppers=shoppers, share=share, level=level) < power:
            low = middle
        else:
            high = middle
    return high - base


def _errors(base: float, treated: float, share: float) -> tuple[float, float]:
    """The standard errors of the difference for one shopper: if there were none, and as it is."""
    pooled = share * base + (1 - share) * treated
    drawn = sqrt(pooled * (1 - pooled) * (1 / share + 1 / (1 - share)))
    return drawn, sqrt(base * (1 - base) / share + treated * (1 - treated) / (1 - share))


def _check(base: float, treated: float, *, share: float) -> None:
    if not all(0 < value < 1 for value in (base, treated, share)):
        raise ValueError(f"shares lie between 0 and 1; got {base}, {treated} and {share} held out")
    if base == treated:
        raise ValueError("there is no difference to be shown")
