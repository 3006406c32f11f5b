"""`m2s beacon frame` and `m2s beacon decode`: bytes both ways, without a database."""

from __future__ import annotations

import json
import re

import pytest

from tests.data import ROOT
from tests.entry.cli.conftest import Shell

UUID = "5b6ab1b6-58c6-4ad5-9f0f-7f4d2f0a3c11"
SENT = "0201061aff4c0002155b6ab1b658c64ad59f0f7f4d2f0a3c1100020001c5"
BEACON = ("--uuid", UUID, "--major", "2", "--minor", "1", "--measured-power-dbm", "-59")
ROTATING = "0201060303aafe0d16aafe30e3f7a6081d867e3474"
"""The second identity of the key 00 01 … 0f."""
KEY = bytes(range(16)).hex()


def test_a_frame_is_printed_for_people_and_programs(shell: Shell) -> None:
    assert shell.run("beacon", "frame", *BEACON).stdout.splitlines() == [
        f"advertisement      {SENT}",
        f"manufacturer_data  {SENT[10:]}",
    ]
    told = json.loads(shell.run("beacon", "frame", *BEACON, "--json").stdout)
    assert told == {"advertisement": SENT, "manufacturer_data": SENT[10:]}


@pytest.mark.parametrize("text", [SENT, SENT[10:], SENT.upper()])
def test_what_was_sent_is_read_back(shell: Shell, text: str) -> None:
    assert json.loads(shell.run("beacon", "decode", text, "--json").stdout) == {
        "type": "ibeacon",
        "uuid": UUID,
        "major": 2,
        "minor": 1,
        "measured_power_dbm": -59,
    }


def test_bytes_may_stand_apart(shell: Shell) -> None:
    words = [SENT[place : place + 2] for place in range(0, len(SENT), 2)]
    assert "major               2\n" in shell.run("beacon", "decode", *words).stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([SENT[:-2]], "this names no beacon: byte 3: a structure of 26 bytes begins, but only 25 follow"),
        (["02zz"], "this names no beacon: byte 0: '02zz' is no hexadecimal byte"),
        ([SENT, "--region", f"{UUID}/3"], f"{UUID}/2/1 is not in the region {UUID}/3/any"),
        ([ROTATING, "--region", UUID], "an Eddystone beacon has no UUID"),
        ([SENT, "--eid-key", KEY], "this is ibeacon; only an eddystone_eid is of a key"),
        (
            [ROTATING, "--eid-key", KEY, "--eid-clock-s", "5000"],
            "its clock is more than 2 periods from 5000 s",
        ),
    ],
)
def test_what_is_not_as_asked_is_refused(shell: Shell, words: list[str], told: str) -> None:
    result = shell.run("beacon", "decode", *words, code=1)
    assert told in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("region", [UUID, f"{UUID}/2", f"{UUID.upper()}/2/1"])
def test_a_beacon_in_the_region_is_printed(shell: Shell, region: str) -> None:
    assert shell.run("beacon", "decode", SENT, "--region", region).stdout.startswith("type ")


@pytest.mark.parametrize(("clock_s", "off"), [("1500", 0), ("0", 1), ("3500", -2)])
def test_a_rotating_identity_is_told_by_its_key(shell: Shell, clock_s: str, off: int) -> None:
    told = shell.run(
        "beacon", "decode", ROTATING, "--eid-key", KEY, "--eid-clock-s", clock_s, "--json"
    ).stdout
    assert json.loads(told)["periods_off"] == off


@pytest.mark.parametrize(
    "words",
    [
        ("frame", "--uuid", "shoes", *BEACON[2:]),
        ("frame", *BEACON[:2], "--major", "65536", *BEACON[4:]),
        ("frame", *BEACON[:-1], "-129"),
        ("decode",),
        ("decode", SENT, "--region", "shoes"),
        ("decode", SENT, "--region", f"{UUID}/2/1/0"),
        ("decode", ROTATING, "--eid-key", "00"),
        ("decode", ROTATING, "--eid-key", "key"),
    ],
)
def test_what_cannot_be_is_wrong_usage(shell: Shell, words: tuple[str, ...]) -> None:
    shell.run("beacon", *words, code=2)


def test_the_page_on_beacons_sends_the_bytes_that_it_decodes(shell: Shell) -> None:
    """With `btmgmt` all of them, with `hcitool` between a length and a filling, with `bluetoothctl` from `02 15` on."""
    text = (ROOT / "docs/beacons.md").read_text(encoding="utf-8")
    (whole,) = re.findall(r"add-adv -d (\S+) 1\n", text)
    (packet,) = re.findall(r"cmd 0x08 0x0008 (.+)\n", text)
    (rest,) = re.findall(r"\nmanufacturer 0x004c (.+)\n", text)
    length, *octets = packet.split()
    assert (int(length, 16), len(octets), octets[30:]) == (30, 31, ["00"])
    for words in ([whole], octets[:30], ["4c", "00", *rest.split()]):
        told = shell.run("beacon", "decode", *words, "--region", f"{UUID}/2/1", "--json").stdout
        assert json.loads(told)["measured_power_dbm"] == -59


def test_the_report_has_a_row_for_a_beacon_that_nobody_heard(shop: Shell) -> None:
    (row,) = json.loads(shop.run("report", "beacons", "--json").stdout)["rows"]
    assert (row["store_id"], row["findings"], row["last_heard"]) == ("example-bakery", "", None)
    assert "last_heard" in shop.run("report", "beacons").stdout
    assert shop.run("report", "beacons", "--format", "csv").stdout.startswith(
        "store_id,place,uuid,major,minor,"
    )
