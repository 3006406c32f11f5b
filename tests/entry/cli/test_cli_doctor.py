"""Does `m2s doctor` find what is wrong before a message has to, say what to do, and send nothing?"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from m2s.app.doctor import WRITTEN_AT
from m2s.core.base.instants import rfc3339
from m2s.entry.cli.configuration import load_settings
from tests.entry.cli.conftest import Shell
from tests.providers.keys import p256, pem, public_pem
from tests.providers.running import Running
from tests.providers.running import running as run_provider

KEY = p256()
APNS = {
    "tls": True,
    "key_id": "ABC123DEFG",
    "team_id": "DEF123GHIJ",
    "topic": "example.shop",
    "public_key": public_pem(KEY),
}


def checks(shell: Shell, *, code: int) -> dict[str, dict[str, Any]]:
    told = json.loads(shell.run("doctor", "--json", code=code).stdout)
    return {check["check"]: check for check in told["checks"]}


def configure(
    folder: Path, provider: Running, *, key: str = pem(KEY), top: str = "", channels: str = ""
) -> None:
    """An `m2s.toml` in `folder` whose Apple is the stand-in; its files lie beside it."""
    folder.mkdir(exist_ok=True)
    (folder / "AuthKey.p8").write_text(key)
    assert provider.ca_file is not None
    (folder / "ca.pem").write_bytes(provider.ca_file.read_bytes())
    (folder / "m2s.toml").write_text(
        f"""
        {top}
        [channels]
        {channels}
        [channels.apns]
        key_file = "AuthKey.p8"
        key_id = "ABC123DEFG"
        team_id = "DEF123GHIJ"
        topic = "example.shop"
        base_url = "{provider.url}"
        ca_file = "ca.pem"
        """
    )


def test_a_new_installation_is_well(shell: Shell) -> None:
    shell.run("init")
    found = checks(shell, code=0)
    assert list(found) == ["configuration", "database", "channels", "clock"]
    assert all(check["well"] for check in found.values())
    assert found["configuration"]["found"] == "it can be read; mode is test"
    assert found["channels"]["found"] == "push by console; sms by console"


def test_people_get_a_table(shell: Shell) -> None:
    shell.run("init")
    out = shell.run("doctor").stdout
    assert "push by console" in out


def test_it_works_beside_a_server_and_says_who_serves(running: Any, shop: Shell) -> None:
    assert running.url in checks(shop, code=0)["database"]["found"]


def test_a_database_that_is_missing_is_named_with_what_to_do(shell: Shell) -> None:
    found = checks(shell, code=1)["database"]
    assert not found["well"]
    assert "`m2s db upgrade`" in found["found"]


def test_a_provider_is_asked_before_it_carries_anything_and_nothing_is_sent(
    shell: Shell, tmp_path: Path
) -> None:
    shell.run("init", "shop")
    with running_apns(tmp_path) as provider:
        configure(Path("shop"), provider)
        found = json.loads(shell.run("doctor", "--json", "--config", "shop/m2s.toml").stdout)["checks"]
        names = {check["check"]: check for check in found}
        assert names["apns"] == {
            "check": "apns",
            "well": True,
            "found": "Apple takes the key for example.shop",
            "do": None,
        }
        assert names["clock"]["found"] == "it is that of the providers"
        assert provider.accepted() == []


def test_a_provider_that_does_not_know_us_is_told_with_what_to_do_and_without_the_key(
    shell: Shell, tmp_path: Path
) -> None:
    shell.run("init")
    other = pem(p256())
    with running_apns(tmp_path) as provider:
        configure(Path(), provider, key=other, channels='push = "apns"')
        result = shell.run("doctor", code=1)
    assert "InvalidProviderToken" in result.stdout
    assert "key_id, team_id" in result.stdout
    assert other.splitlines()[1] not in result.stdout


def test_a_clock_that_no_provider_shares_is_found(shell: Shell, tmp_path: Path) -> None:
    shell.run("init")
    with running_apns(tmp_path, date_ahead_s=120) as provider:
        configure(Path(), provider)
        found = checks(shell, code=1)["clock"]
    assert found["found"].startswith("it is behind the clock of a provider by 0:0")
    assert "NTP" in found["do"]


def test_a_clock_that_was_set_back_is_found(shell: Shell) -> None:
    from m2s.bootstrap import open_database

    shell.run("init")
    later = rfc3339(datetime.now(UTC) + timedelta(hours=1))
    with open_database(load_settings()) as database:
        database.write(lambda records: records.catalog.keep_setting(WRITTEN_AT, later))
    found = checks(shell, code=1)["clock"]
    assert found["found"].startswith("it is before the last write, by ")


def test_outside_of_production_a_provider_far_away_can_carry_nothing(shell: Shell) -> None:
    shell.run("init")
    options = 'account_sid = "AC1"\nauth_token = "s3cret"\nsender = "SHOP"\n'
    text = f'[channels]\nsms = "twilio"\n[channels.twilio]\n{options}'
    Path("m2s.toml").write_text(f'{text}base_url = "https://127.0.0.1:9"\n')
    assert checks(shell, code=1)["channels"]["well"]
    Path("m2s.toml").write_text(text)
    told = shell.run("serve", "--port", "0", code=1).stderr
    assert 'mode = "production"' in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[channels]\npush = "fmc"', "channel 'push': there is no adapter 'fmc'; there are: apns, "),
        ('[channels]\npush = "fcm"', "channels.fcm.service_account_file: it is missing"),
        ("[channels.fmc]\nx = 1", "channels.fmc: there is no adapter 'fmc'"),
        ("[channels]\npush = 3", "m2s.toml: channels.push: name an adapter, or one for each platform: {ios"),
        ('[channels]\npush = {iOS = "apns"}', "m2s.toml: channels.push: name an adapter, or one for each"),
        ("[channels]\npush = {ios = 3}", "m2s.toml: channels.push: name an adapter, or one for each"),
        ('[channels]\nsms = {ios = "x"}', "m2s.toml: channels.sms: write a text in quotes"),
        ('mode = "live"', "m2s.toml: mode: write 'test' or 'production'"),
    ],
)
def test_channels_that_cannot_work_are_told_before_anything_is_served(
    shell: Shell, text: str, told: str
) -> None:
    shell.run("init")
    Path("m2s.toml").write_text(text)
    assert told in shell.run("serve", "--port", "0", code=1).stderr


def test_files_of_adapters_count_from_the_folder_of_the_configuration_unless_a_variable_names_them(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shell.folder / "shop").mkdir()
    file = Path("shop/m2s.toml")
    file.write_text('[channels.apns]\nkey_file = "a.p8"\nca_file = "/etc/ca.pem"\nkey_id = "K"')
    options = load_settings(file).channels.options["apns"]
    assert options == {"key_file": "shop/a.p8", "ca_file": "/etc/ca.pem", "key_id": "K"}
    monkeypatch.setenv("M2S_CHANNELS__APNS__KEY_FILE", "b.p8")
    monkeypatch.setenv("M2S_CHANNELS__APNS__TEAM_ID", "T")
    options = load_settings(file).channels.options["apns"]
    assert options == {"key_file": "b.p8", "ca_file": "/etc/ca.pem", "key_id": "K", "team_id": "T"}


def running_apns(folder: Path, **config: Any) -> Any:
    return run_provider("apns", folder / "apns", {**APNS, **config})
