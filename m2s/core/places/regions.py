"""Which regions should this phone watch? The nearest zones as circles, with a version and when to ask again."""

import hashlib
from dataclasses import dataclass

from m2s.core.places.zone_index import ZoneIndex, ZoneRef

MOST_REGIONS = {"ios": 20, "android": 100}
"""What the operating system lets one app watch."""
SMALLEST_RADIUS_M = 100.0
"""Smaller circles are not noticed in time by a phone (vendors advise 100 to 200 m)."""
REFRESH_AFTER_S = 86_400
_NEAREST_REFRESH_M, _FARTHEST_REFRESH_M = 250.0, 50_000.0


@dataclass(frozen=True, slots=True)
class Region:
    """A circle to watch. `id` is `store_id/zone_id`; a polygon's circle encloses it."""

    id: str
    latitude: float
    longitude: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions, nearest first. The phone asks again when it has moved `refresh_after_m` or after the seconds.

    `version` changes when, and only when, an id or a circle does.
    """

    items: tuple[Region, ...]
    version: str
    refresh_after_m: float
    refresh_after_s: int


def regions_near(
    index: ZoneIndex, *, latitude: float, longitude: float, platform: str, limit: int = 20
) -> Regions:
    """The regions nearest to a position: at most `limit`, and no more than the platform can watch.

    Half of the way to the farthest of them, none that was left out can have come near unseen.
    """
    most = min(limit, MOST_REGIONS.get(platform, MOST_REGIONS["ios"]))
    nearest = index.nearest(latitude, longitude, limit=most)
    items = tuple(_region(ref) for ref, _ in nearest)
    everything = len(items) == len(index.zones)
    farthest_m = _FARTHEST_REFRESH_M if everything or not nearest else nearest[-1][1] / 2.0
    shapes = "\n".join(
        f"{item.id} {item.latitude:.7f} {item.longitude:.7f} {item.radius_m:.1f}"
        for item in sorted(items, key=lambda item: item.id)
    )
    return Regions(
        items=items,
        version=hashlib.sha256(shapes.encode()).hexdigest()[:16],
        refresh_after_m=round(min(_FARTHEST_REFRESH_M, max(_NEAREST_REFRESH_M, farthest_m)), 1),
        refresh_after_s=REFRESH_AFTER_S,
    )


def _region(ref: ZoneRef) -> Region:
    shape = ref.zone.shape
    radius_m = round(max(SMALLEST_RADIUS_M, shape.reach_m), 1)
    return Region(f"{ref.store_id}/{ref.zone_id}", shape.latitude, shape.longitude, radius_m)
