"""How far are positions from the edges of polygons? Many pairs of a position and a polygon at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from m2s.core.places.geo import Floats, earth_centred, frame_axes, unwrapped
from m2s.core.places.inside import Outlines
from m2s.core.places.nearness import Ints

_AT_ONCE = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Polygons:
    """What many polygons need at once, by zone number: `Polygon.signed_distances_m` over pairs."""

    axes: Floats
    """East and north of each polygon's frame."""
    middles: Floats
    """The longitude of each middle in degrees."""
    outlines: NDArray[np.object_]
    areas: NDArray[np.object_]
    edges: Outlines

    @classmethod
    def of(cls, areas: NDArray[np.object_], degrees: Floats) -> "Polygons":
        """Those of areas in degrees, each with its middle (latitude, longitude); None stands for what is none."""
        axes = np.stack(tuple(frame_axes(degrees[:, 0], degrees[:, 1])), axis=1)
        origins = earth_centred(degrees[:, 0], degrees[:, 1])
        outlines = np.empty(len(areas), dtype=object)
        edges = []
        for begin in range(0, max(1, len(areas)), _AT_ONCE):
            some = slice(begin, begin + _AT_ONCE)
            local = shapely.orient_polygons(areas[some])
            lon_lat, owner = shapely.get_coordinates(local, return_index=True)
            offsets = earth_centred(lon_lat[:, 1], lon_lat[:, 0]) - origins[some][owner]
            shapely.set_coordinates(local, np.vecdot(offsets[:, None], axes[some][owner]))
            outlines[some] = shapely.boundary(local)
            edges.append(Outlines.of(outlines[some]))
        return cls(axes, degrees[:, 1], outlines, areas, Outlines.picked(edges, np.arange(len(areas))))

    @classmethod
    def picked(cls, parts: Sequence["Polygons"], numbers: Ints) -> "Polygons":
        """Those with these numbers; those of the first part come first, then those of the second, …"""
        return cls(
            np.concatenate([part.axes for part in parts])[numbers],
            np.concatenate([part.middles for part in parts])[numbers],
            np.concatenate([part.outlines for part in parts])[numbers],
            np.concatenate([part.areas for part in parts])[numbers],
            Outlines.picked([part.edges for part in parts], numbers),
        )

    def local(self, offsets: Floats, zone: Ints) -> Floats:
        """Metres east and north of each polygon's middle."""
        places: Floats = np.vecdot(offsets[:, None], self.axes[zone])
        return places

    def signed_m(self, offsets: Floats, latitudes: Floats, longitudes: Floats, *, zone: Ints) -> Floats:
        """Metres to the edge, negative inside, from positions that are this far (x, y, z) from the middle."""
        distances = shapely.distance(self.outlines[zone], shapely.points(self.local(offsets, zone)))
        around = unwrapped(longitudes, self.middles[zone])
        inside = shapely.intersects_xy(self.areas[zone], around, latitudes)
        signed: Floats = np.where(inside, -distances, distances)
        return signed

    def signed_m_one(
        self, offset: tuple[float, float, float], latitude: float, longitude: float, *, zone: int
    ) -> float:
        """As `signed_m`, for one pair."""
        east, north = self.axes[zone].tolist()
        place = shapely.points(
            sum(o * e for o, e in zip(offset, east, strict=True)),
            sum(o * n for o, n in zip(offset, north, strict=True)),
        )
        distance_m = float(shapely.distance(self.outlines[zone], place))
        around = float(unwrapped(longitude, self.middles[zone]))
        return -distance_m if shapely.intersects_xy(self.areas[zone], around, latitude) else distance_m
