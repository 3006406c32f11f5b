"""Are the stays of real traces found, and does the picture of one show what the service makes of it?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from accuracy import plot, real_stays
from accuracy.scored import Estimate
from accuracy.traces import FILES, fixes_of, traces, traces_of
from tests.data import data_path, data_root


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the recordings."""
    for file, _, _ in FILES.values():
        data_path(file)
    monkeypatch.setenv("M2S_DATA", str(data_root()))
    return data_root()


def test_stays_are_told_from_drive_bys(root: Path) -> None:
    (row,) = real_stays.evaluate(root, seed=1)
    assert (row.name, row.met) == ("stays on traces", True)
    assert (row.n > 100, row.groups > 50) == (True, True)
    shares = {name: figure.value for name, figure in row.beside.items() if isinstance(figure, Estimate)}
    assert shares["stays found"] >= 0.8
    assert shares["stays without 10 minutes of silence found"] == 1.0
    assert shares["visits that are stays"] >= 0.92
    assert 0 < shares["passers-by counted"] <= 0.03
    off_s = row.beside["seconds off in dwell"]
    assert isinstance(off_s, float)
    assert 0 < off_s <= 180


def test_the_same_way_counts_once(root: Path) -> None:
    names = [trace.phone for trace in traces(root)]
    assert len(set(names)) == len(names) == 98
    assert len({"gotrack 134", "gotrack 135"} & set(names)) == 1
    assert {"posmo 0", "cerknicko", "korita"} < set(names)


def test_a_silence_within_the_gap_is_part_of_the_visit_and_a_longer_one_is_not(root: Path) -> None:
    found = {trace.phone: trace for name in ("gotrack", "korita") for trace in traces_of(root, name)}
    short, long = plot.seen(found["gotrack 26"]), plot.seen(found["korita"])
    assert [(stay.kind, stay.dwell_s) for stay in short.stays] == [("visit", 2476)]
    assert [(stay.kind, stay.dwell_s) for stay in long.stays] == [("passer_by", 144), ("passer_by", 250)]
    assert len(short.times) < len(fixes_of(found["gotrack 26"]))
    deep, near, far = (
        short.inside[(short.edge_m > least) & (short.edge_m < most)]
        for least, most in ((-60, -30), (25, 60), (80, 300))
    )
    assert (len(deep) > 100, len(near) > 5, len(far) > 10) == (True, True, True)
    assert deep.min() > 0.9 > 0.1 > near.max()
    assert np.isnan(far).all()


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("name", ["trace.svg", "trace.png"])
def test_a_picture_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    out = tmp_path / name
    monkeypatch.setattr("sys.argv", ["accuracy.plot", "korita", str(out)])
    assert plot.main() == 0
    assert 50_000 < out.stat().st_size < 200_000


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("trace", "told"),
    [
        ("nobody", "there is no recording 'nobody'"),
        ("gotrack 9999", "there is no trace 'gotrack 9999'"),
        ("posmo 0", "posmo 0 never stands still for 5 minutes"),
    ],
)
def test_what_cannot_be_drawn_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trace: str,
    told: str,
) -> None:
    monkeypatch.setattr("sys.argv", ["accuracy.plot", trace, str(tmp_path / "trace.svg")])
    with pytest.raises(SystemExit):
        plot.main()
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
