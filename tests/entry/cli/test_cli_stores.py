"""`m2s stores` and `m2s keys`: what they print, and what they refuse."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from m2s.app.access import KEY_ROLES
from tests.app.town import fix, open_town
from tests.entry.cli.conftest import Shell

CSV = "id,name,latitude,longitude,timezone\nlyon,Lyon,45.75,4.85,Europe/Paris\nnice,Nice,43.70,7.27,\n"


def test_importing_again_replaces_by_id(shop: Shell) -> None:
    Path("more.csv").write_text(CSV)
    assert shop.run("stores", "import", "more.csv").stdout.startswith("2 stores added, 0 replaced")
    told = json.loads(shop.run("stores", "import", "more.csv", "--json").stdout)
    assert (told["stores"], told["created"], told["replaced"]) == (2, 0, 2)


def test_the_time_zone_of_the_configuration_is_for_stores_that_name_none(shop: Shell) -> None:
    Path("more.csv").write_text(CSV)
    shop.run("stores", "import", "more.csv")
    assert json.loads(shop.run("stores", "show", "nice", "--json").stdout)["properties"]["timezone"] == (
        "Europe/Paris"
    )


def test_what_list_prints_as_json_can_be_imported(shop: Shell) -> None:
    listed = shop.run("stores", "list", "--json").stdout
    Path("again.json").write_text(listed)
    assert shop.run("stores", "import", "again.json").stdout.startswith("0 stores added, 1 replaced")
    assert shop.run("stores", "list", "--json").stdout == listed


def test_openstreetmap_features_are_read_as_they_are(shop: Shell) -> None:
    feature = {
        "type": "Feature",
        "id": "node/25230434",
        "geometry": {"type": "Point", "coordinates": [7.42, 43.73]},
        "properties": {"shop": "bakery", "brand": "Paul", "wheelchair": "yes"},
    }
    Path("shops.osm").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    shop.run("stores", "import", "shops.osm", code=2)
    shop.run("stores", "import", "shops.osm", "--format", "osm")
    assert "Paul" in shop.run("stores", "show", "node-25230434").stdout


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (CSV.replace("45.75", "91"), "row 2"),
        (CSV.replace("Europe/Paris", "Europe/Lutece"), "Europe/Lutece"),
        (CSV.replace("longitude", "longitud"), "longitud"),
    ],
)
def test_a_file_with_a_problem_changes_nothing_and_says_where(shop: Shell, content: str, told: str) -> None:
    before = shop.run("stores", "list", "--json").stdout
    Path("bad.csv").write_text(content)
    error = shop.run("stores", "import", "bad.csv", code=1).stderr
    assert error.startswith("m2s: bad.csv: ")
    assert told in error
    assert shop.run("stores", "list", "--json").stdout == before


def test_files_that_cannot_be_read_are_told_in_one_line(shop: Shell) -> None:
    Path("latin.csv").write_bytes(CSV.replace("Nice", "Orléans").encode("latin-1"))
    assert shop.run("stores", "import", "latin.csv", code=1).stderr.startswith("m2s: latin.csv is not UTF-8")
    assert shop.run("stores", "import", "none.csv", code=1).stderr == (
        "m2s: none.csv cannot be read: no such file or directory\n"
    )


def test_a_store_is_shown_with_its_zones_and_beacons(shop: Shell) -> None:
    shown = shop.run("stores", "show", "example-bakery").stdout
    assert "circle of 300 m" in shown
    assert "entrance" in shown
    assert "stores list" in shop.run("stores", "show", "nowhere", code=1).stderr


def test_check_fails_for_an_error_and_not_for_a_warning(shop: Shell) -> None:
    Path("more.csv").write_text(CSV)
    shop.run("stores", "import", "more.csv")
    *_, note, counts = shop.run("stores", "check").stdout.splitlines()
    assert note.startswith("note: 2 stores have no beacon")
    assert counts == "3 stores, 0 errors, 2 warnings"
    Path("tiny.csv").write_text("id,name,latitude,longitude,premises_radius_m\ntiny,Tiny,45,4,15\n")
    shop.run("stores", "import", "tiny.csv")
    assert "tiny: error:" in shop.run("stores", "check", code=1).stdout
    found = json.loads(shop.run("stores", "check", "--json", code=1).stdout)["findings"]
    assert ("tiny", "error") in {(finding["store_id"], finding["severity"]) for finding in found}


def test_check_tells_what_the_evidence_says(shell: Shell) -> None:
    town = open_town(shell.folder, now=datetime.now(UTC) - timedelta(hours=1))
    town.furnish(opening_hours="24/7")
    town.post(town.device("ann"), fix("p0", age_s=60), fix("p1"))
    town.engine.stop()
    (shell.folder / "m2s.toml").write_text(f'database_url = "sqlite:///{town.path}"\n')
    *_, told, counts = shell.run("stores", "check").stdout.splitlines()
    assert told.startswith("note: 1 store has fewer than 30 stays in the evidence looked at: too few")
    assert counts == "2 stores, 0 errors, 0 warnings"


def test_a_key_is_printed_once_and_can_be_revoked(shop: Shell) -> None:
    made = json.loads(
        shop.run("keys", "create", "--role", "till", "--store", "example-bakery", "--json").stdout
    )
    assert made["key"].startswith(f"pk_till_{made['key_id']}_")
    listed = shop.run("keys", "list").stdout
    assert made["key_id"] in listed
    assert made["key"] not in listed
    shop.run("keys", "revoke", made["key_id"])
    assert shop.run("keys", "revoke", made["key_id"], code=1).stderr.startswith("m2s: there is no live key")


def test_only_the_key_goes_to_standard_output(shop: Shell) -> None:
    result = shop.run("keys", "create", "--role", "sdk")
    assert result.stdout.startswith("pk_sdk_")
    assert len(result.stdout.split()) == 1
    assert "cannot be shown again" in result.stderr


def test_keys_can_be_created_of_every_role_that_keys_have(shop: Shell) -> None:
    told = shop.run("keys", "create", "--help").stdout
    assert f"<{'|'.join(KEY_ROLES)}>" in "".join(told.split())


def test_a_till_key_needs_a_store_that_exists(shop: Shell) -> None:
    assert "add --store" in shop.run("keys", "create", "--role", "till", code=1).stderr
    other = shop.run("keys", "create", "--role", "sdk", "--store", "example-bakery", code=1).stderr
    assert "leave --store out" in other
    assert "'nowhere'" in shop.run("keys", "create", "--role", "till", "--store", "nowhere", code=1).stderr
