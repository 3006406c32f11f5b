"""What does the service make of one real trace? A picture: `python -m accuracy.plot "gotrack 26" trace.svg`.

The store stands where the trace's longest stay is by the plain rule. Above, the way in metres round it; below, over
time, how probably inside each fix was, how far from the edge, and the stays that are kept.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num, num2date
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch

from accuracy.recordings import data_root
from accuracy.replayed import replayed, store_at
from accuracy.stay_points import LEAST_S, stay_points
from accuracy.traces import FILES, fixes_of, traces_of
from m2s.app.rows import VisitRow
from m2s.bootstrap import Trace
from m2s.core.places.geo import Floats, frame_at
from m2s.core.places.store import VICINITY_RADIUS_M, Store
from m2s.core.places.zone import PREMISES
from m2s.core.presence.quality import INSIDE_P, MAYBE_P

_SIDE_M = VICINITY_RADIUS_M + 40
_BEFORE = 5 / (24 * 60)
"""Five minutes, in days."""
_VISIT, _OTHER, _FAR, _LINE = "#1b7837", "#b35806", "#9a9a9a", "#4d4d4d"
_MAP = "plasma_r"


@dataclass(frozen=True, slots=True)
class Seen:
    """A phone near one store, from before it came until after it left: when (as matplotlib counts), where in metres
    round the store, how far from its edge, how probably inside (NaN where that is too far off to be evidence), and the
    stays that the service keeps."""

    phone: str
    store: Store
    times: Floats
    east_m: Floats
    north_m: Floats
    edge_m: Floats
    inside: Floats
    stays: Sequence[VisitRow]

    @property
    def radius_m(self) -> float:
        """Of the premises, which are a circle."""
        return self.store.premises.shape.reach_m


def main() -> int:
    """Writes one picture; the ending of the file's name says in which format."""
    parser = argparse.ArgumentParser(prog="accuracy.plot", description=__doc__)
    parser.add_argument("trace", help=f"recording and phone: {', '.join(FILES)}; such as 'gotrack 26'")
    parser.add_argument("out", type=Path, help="what to write, such as trace.svg or trace.png")
    chosen = parser.parse_args()
    recording = chosen.trace.partition(" ")[0]
    if recording not in FILES:
        parser.error(f"there is no recording {recording!r}; there are {', '.join(FILES)}")
    try:
        found = {trace.phone: trace for trace in traces_of(data_root(), recording)}
    except FileNotFoundError as error:
        parser.error(f"there is no {error.filename}: set M2S_DATA to the folder that holds the recordings")
    if chosen.trace not in found:
        parser.error(f"there is no trace {chosen.trace!r}; there are {', '.join(found)}")
    if not any(stay_points(fixes_of(found[chosen.trace]))):
        parser.error(f"{chosen.trace} never stands still for {LEAST_S / 60:g} minutes")
    draw(seen(found[chosen.trace]), chosen.out)
    return 0


def seen(trace: Trace) -> Seen:
    """What the service makes of a trace at a store where the trace's longest stay is."""
    longest = max(stay_points(fixes_of(trace)), key=lambda stay: stay.lasted_s)
    store = store_at("store", longest.middle)
    (outcome,) = replayed([trace], [store])
    probabilities = {
        one.sighting_id: one.inside_probability
        for one in outcome.evidence[store.id]
        if one.zone_id == PREMISES
    }
    inside = np.array([probabilities.get(one.fields["id"], np.nan) for one in trace.sightings])
    latitudes, longitudes = np.array([place for _, place in fixes_of(trace)]).T
    edge_m = store.premises.shape.signed_distances_m(latitudes, longitudes)
    east_m, north_m = frame_at(store.latitude, store.longitude).metres(latitudes, longitudes)
    times = date2num([one.at for one in trace.sightings])
    near = times[np.hypot(east_m, north_m) <= VICINITY_RADIUS_M]
    shown = (times >= near[0] - _BEFORE) & (times <= near[-1] + _BEFORE)
    return Seen(
        trace.phone,
        store,
        times[shown],
        east_m[shown],
        north_m[shown],
        edge_m[shown],
        inside[shown],
        outcome.stays[store.id],
    )


def draw(what: Seen, out: Path) -> None:
    """Writes the picture, the same bytes each time."""
    with mpl.rc_context({"font.size": 8, "axes.titlesize": 9, "axes.linewidth": 0.6, "svg.hashsalt": "m2s"}):
        figure = Figure(figsize=(4.6, 8.4), layout="constrained", facecolor="white")
        around, probable, edge = figure.subplots(3, 1, height_ratios=[3.6, 1, 1.2])
        _map(around, what)
        _probabilities(probable, what)
        _distances(edge, what)
        figure.legend(handles=_legend(what), loc="outside lower center", ncols=2, frameon=False)
        figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None, dpi=200)


def _map(axes: Axes, what: Seen) -> None:
    for radius_m, style in (
        (what.radius_m, "-"),
        (what.radius_m + what.store.premises.margin_m, "--"),
        (VICINITY_RADIUS_M, ":"),
    ):
        axes.add_patch(Circle((0, 0), radius_m, fill=False, ls=style, ec=_LINE))
    axes.plot(what.east_m, what.north_m, color=_FAR, lw=0.6, zorder=2)
    far = np.isnan(what.inside)
    axes.scatter(what.east_m[far], what.north_m[far], s=5, color=_FAR, zorder=2.5)
    found = axes.scatter(
        what.east_m[~far], what.north_m[~far], s=10, c=what.inside[~far], cmap=_MAP, vmin=0, vmax=1, zorder=3
    )
    axes.set(xlim=(-_SIDE_M, _SIDE_M), ylim=(-_SIDE_M, _SIDE_M), aspect="equal")
    axes.set(title=f"{what.phone}, and a store where it stood still the longest")
    axes.set(xlabel="metres to the east", ylabel="metres to the north")
    label = "probability of being inside (grey: too far off to be evidence)"
    axes.figure.colorbar(found, ax=axes, location="bottom", shrink=0.8, aspect=40, label=label)


def _probabilities(axes: Axes, what: Seen) -> None:
    far = np.isnan(what.inside)
    axes.plot(what.times[far], np.zeros(far.sum()), ".", color=_FAR, ms=3)
    axes.plot(what.times[~far], what.inside[~far], ".", color=_LINE, ms=3)
    for level, name in ((INSIDE_P, "inside"), (MAYBE_P, "perhaps")):
        axes.axhline(level, color=_LINE, lw=0.5, ls="--")
        axes.annotate(name, (0.01, level), xycoords=("axes fraction", "data"), fontsize=7, va="bottom")
    for stay in what.stays:
        told = f"{stay.kind.replace('_', '-')}\n{stay.dwell_s / 60:.0f} min"
        middle = (date2num(stay.start_at) + date2num(stay.end_at)) / 2
        axes.annotate(told, (middle, 0.18), ha="center")
    axes.set(ylim=(-0.05, 1.05), ylabel="probability")
    _time(axes, what)
    axes.tick_params(labelbottom=False)


def _distances(axes: Axes, what: Seen) -> None:
    axes.axhspan(0, what.store.premises.margin_m, color="#d0d0d0", lw=0)
    axes.plot(what.times, what.edge_m, ".-", color=_LINE, ms=3, lw=0.5)
    axes.set(ylim=(-what.radius_m - 10, VICINITY_RADIUS_M - what.radius_m), ylabel="metres to the edge")
    axes.set(xlabel=f"UTC, {num2date(what.times[0]):%Y-%m-%d}")
    _time(axes, what)


def _time(axes: Axes, what: Seen) -> None:
    """The axis of time, with the stays behind it."""
    for stay in what.stays:
        axes.axvspan(date2num(stay.start_at), date2num(stay.end_at), color=_colour(stay), alpha=0.25, lw=0)
    axes.set_xlim(what.times[0], what.times[-1])
    axes.xaxis.set_major_locator(AutoDateLocator(maxticks=8))
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))


def _legend(what: Seen) -> list[Line2D | Patch]:
    return [
        Line2D([], [], color=_LINE, label=f"premises, {what.radius_m:g} m"),
        Line2D([], [], color=_LINE, ls="--", label=f"margin, {what.store.premises.margin_m:g} m more"),
        Line2D([], [], color=_LINE, ls=":", label=f"vicinity, {VICINITY_RADIUS_M:g} m"),
        *(
            Patch(color=colour, alpha=0.25, lw=0, label=label)
            for label, colour in {_label(stay): _colour(stay) for stay in what.stays}.items()
        ),
    ]


def _colour(stay: VisitRow) -> str:
    return _VISIT if stay.kind == "visit" else _OTHER


def _label(stay: VisitRow) -> str:
    return "a visit" if stay.kind == "visit" else "a stay that is no visit"


if __name__ == "__main__":
    sys.exit(main())
