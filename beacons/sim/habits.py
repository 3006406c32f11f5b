"""What kind of phone is it, and how late, lossy and wrong is it? Shares of 1 and spans of seconds for all of them."""

import math
from dataclasses import dataclass
from random import Random

from beacons.sim.route import Kind
from beacons.sim.walker import Shopper

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Habits:
    """How the phones of a simulation behave; as it stands, those of the demo.

    Shares are of phones, those of `lost`, `repeated` and `fence_lost` of sightings, `waits_share` of batches,
    `reboots` and `offline_share` of a phone's days, `mocked` of passers-by. `regions_planned`: phones watch only
    what the service plans for their platform, ask again where the plan ends, and report beacon regions too.
    """

    ios_share: float = 0.5
    accuracy_m: Span = (5.0, 40.0)
    indoors_m: float = 14.0
    outdoors_m: float = 8.0
    fix_walking_s: Span = (22.0, 60.0)
    fix_still_s: Span = (55.0, 110.0)
    fence_delay_s: Span = (20.0, 240.0)
    fence_lost: float = 0.1
    scan_s: Span = (70.0, 130.0)
    beacon_exit_s: Span = (10.0, 1500.0)
    regions_planned: bool = False
    batch_s: Span = (90.0, 200.0)
    waits_share: float = 0.12
    waits_s: Span = (180.0, 900.0)
    newest_first: float = 1.0
    lost: float = 0.0
    repeated: float = 0.03
    wrong_clock: float = 0.15
    clock_error_s: Span = (100.0, 10**5.5)
    tells_age: float = 0.85
    approximate: float = 0.0
    reboots: float = 0.0
    offline_share: float = 0.0
    offline_s: Span = (3600.0, 21_600.0)
    mocked: float = 0.02
    replayed: float = 0.0

    @property
    def longest_delay_s(self) -> float:
        """How late a sighting can be sent, but for a service that does not answer."""
        offline_s = self.offline_s[1] if self.offline_share else 0.0
        return offline_s + self.waits_s[1] + 2 * self.batch_s[1]


USUAL = Habits()
"""The phones of the demo."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What kind of phone it is. `number` is None where the owner keeps it to herself. `clock_error_s` is added
    to its own clock; `tells_age` phones send `age_ms`, the others their own time of event and sending.

    `spoofs` phones send mocked positions beside their own, `replays` ones send what they sent again as if new.
    """

    platform: str
    language: str
    timezone: str
    number: str | None
    marketing: bool
    positions: bool
    tells_age: bool
    clock_error_s: float
    batch_s: float
    spoofs: bool
    approximate: bool
    newest_first: bool
    replays: bool


def traits(random: Random, shopper: Shopper, habits: Habits) -> Traits:
    """Draw a phone. Most owners live in France: their numbers are of the range that is kept for fiction there
    (06 39 98). The others are at home in Monaco and keep theirs to themselves.
    """
    own = shopper.random("traits")
    from_france = random.random() < 0.92
    wrong_clock = random.random() < habits.wrong_clock
    least_s, most_s = habits.clock_error_s
    platform = random.choice(("ios", "android"))
    if habits.ios_share != 0.5:
        platform = "ios" if own.random() < habits.ios_share else "android"
    return Traits(
        platform=platform,
        language=random.choices(("fr", "en", "it"), (0.6, 0.2, 0.2))[0],
        timezone="Europe/Paris" if from_france else "Europe/Monaco",
        number=f"+3363998{shopper.index % 10_000:04d}" if from_france else None,
        marketing=random.random() >= 0.1,
        positions=not shopper.doors_only,
        tells_age=random.random() < habits.tells_age,
        clock_error_s=random.choice((-1, 1)) * 10 ** random.uniform(math.log10(least_s), math.log10(most_s))
        if wrong_clock
        else random.gauss(0, 2),
        batch_s=random.uniform(*habits.batch_s),
        spoofs=shopper.kind is Kind.PASSER_BY and random.random() < habits.mocked,
        approximate=own.random() < habits.approximate,
        newest_first=own.random() < habits.newest_first,
        replays=shopper.kind is Kind.BUYER and own.random() < habits.replayed,
    )
