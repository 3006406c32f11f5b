"""What about these stores will make visits unsure? Overlaps, zones too small, and what is missing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from m2s.core.places.geo import Frame, earth_centred, frame_at
from m2s.core.places.store import Store
from m2s.core.places.zone import PREMISES, Circle, Zone

TOO_SMALL_M = 50.0
"""Without beacons, positions are not exact enough for premises of a smaller radius (or the area of such a circle)."""
SMALL_M = 100.0
"""Below this a beacon makes visits surer; most shops are smaller, so it is told once for all of them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at; `severity` is `error`, `warning` or `note`, `advice` says what to do.

    A finding about several stores at once has no `store_id`.
    """

    store_id: str | None
    severity: str
    code: str
    detail: str
    advice: str


def check_stores(stores: Sequence[Store]) -> list[Finding]:
    """All findings, by store in the order given, and then what concerns several stores."""
    overlaps: dict[str, list[Finding]] = {}
    for first, second, share in _overlaps(stores):
        for store, other in ((first, second), (second, first)):
            detail = f"the premises overlap those of {other.id} ({share:.0%} of the smaller)"
            advice = (
                "make the circles smaller or draw the outlines: an unclear stay in both counts in neither"
            )
            found = Finding(store.id, "warning", "overlap", detail, advice)
            overlaps.setdefault(store.id, []).append(found)
    by_store = [
        finding
        for store in stores
        for finding in (*_too_small(store), *_missing(store), *overlaps.get(store.id, ()))
    ]
    return [*by_store, *_small(stores)]


def _too_small(store: Store) -> Iterator[Finding]:
    radius_m = _radius_m(store)
    if radius_m < TOO_SMALL_M and not store.beacons:
        detail = f"the premises are as large as a circle of {radius_m:.0f} m and have no beacon"
        advice = f"set premises_radius_m to {TOO_SMALL_M:.0f} or more, or place beacons"
        yield Finding(store.id, "error", "radius_too_small", detail, advice)


def _small(stores: Sequence[Store]) -> Iterator[Finding]:
    small = sum(not store.beacons and TOO_SMALL_M <= _radius_m(store) < SMALL_M for store in stores)
    if small:
        which = "1 store has" if small == 1 else f"{small} stores have"
        detail = f"{which} no beacon and premises smaller than a circle of {SMALL_M:.0f} m"
        advice = "beacons find the short visits there that positions miss"
        yield Finding(None, "note", "radius_small", detail, advice)


def _radius_m(store: Store) -> float:
    """The radius of the circle that is as large as the premises."""
    return float(np.sqrt(store.premises.area_m2 / np.pi))


def _missing(store: Store) -> Iterator[Finding]:
    if store.opening_hours is None:
        advice = "add opening_hours, such as Mo-Sa 09:00-19:30: offers need it to know when the store is open"
        yield Finding(store.id, "warning", "no_hours", "the opening hours are not known", advice)
    if all(zone.id == PREMISES for zone in store.zones):
        advice = "leave `zones` out to get a vicinity of 300 m, or name one"
        yield Finding(store.id, "warning", "no_zones", "there is no zone around the premises", advice)


def _overlaps(stores: Sequence[Store]) -> Iterator[tuple[Store, Store, float]]:
    """Pairs of stores whose premises overlap, and by which share of the smaller one."""
    shapes = [store.premises.shape for store in stores]
    latitudes = np.array([shape.latitude for shape in shapes])
    longitudes = np.array([shape.longitude for shape in shapes])
    centres = earth_centred(latitudes, longitudes)
    reaches_m = np.array([shape.reach_m for shape in shapes])
    order = np.argsort(centres[:, 2], kind="stable") if shapes else np.empty(0, np.int64)
    heights_m = centres[order, 2]
    for place, i in enumerate(order.tolist()):
        reach_m = reaches_m[i] + reaches_m.max()
        end = int(np.searchsorted(heights_m, heights_m[place] + reach_m, side="right"))
        others = order[place + 1 : end]
        apart_m = np.linalg.norm(centres[others] - centres[i], axis=1)
        for j in others[apart_m < reaches_m[i] + reaches_m[others]].tolist():
            share = _shared(stores[i].premises, stores[j].premises)
            if share > 0.005:
                yield stores[min(i, j)], stores[max(i, j)], share


def _shared(one: Zone, other: Zone) -> float:
    """The common area of two zones, as a share of the smaller."""
    frame = frame_at(one.shape.latitude, one.shape.longitude)
    first, second = _drawn(one, frame), _drawn(other, frame)
    return float(first.intersection(second).area / min(first.area, second.area))


def _drawn(zone: Zone, frame: Frame) -> shapely.Geometry:
    """The zone in the metres of a frame; a circle as a polygon of 64 corners."""
    shape = zone.shape
    if isinstance(shape, Circle):
        east, north = frame.metres(shape.latitude, shape.longitude)
        return shapely.Point(float(east), float(north)).buffer(shape.radius_m, quad_segs=16)
    return shapely.transform(
        shape.geometry,
        lambda lon_lat: np.stack(frame.metres(lon_lat[:, 1], lon_lat[:, 0]), axis=-1),
    )
