"""`python -m accuracy`: what it prints, and what it does where there are no recordings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accuracy.__main__ import main
from tests.data import data_path, data_root


def test_what_cannot_be_scored_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("M2S_DATA", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["accuracy", "--without", "simulated", "--without", "departments"])
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["doorway", "cells", "nearest", "distance", "stays"]
    assert all("skipped" in line and str(tmp_path) in line and "M2S_DATA" in line for line in lines)


def test_the_chosen_part_is_one_json_list(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data_path("ble/uji_lib_rssi.csv.gz")
    monkeypatch.setenv("M2S_DATA", str(data_root()))
    monkeypatch.setattr("sys.argv", ["accuracy", "--json", "--only", "nearest"])
    assert main() == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["n"], row["met"]) == ("nearest beacon", 348, True)
    assert row["ours"]["low"] < row["ours"]["value"] < row["ours"]["high"]


@pytest.mark.parametrize("days", ["0", "-3", "many"])
def test_a_size_that_is_none_is_refused(
    days: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["accuracy", "--only", "simulated", f"--person-days={days}"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "from 1 up" in capsys.readouterr().err
