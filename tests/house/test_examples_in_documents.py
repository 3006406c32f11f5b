"""Can the examples in the documents be read by what reads them in earnest? YAML, sightings, stores, settings."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML

from campaigns.reader import read_campaign
from m2s.core.places.geojson import read_collection
from m2s.entry.api.sightings import Sightings
from m2s.entry.cli.scenario_file import read_scenario
from m2s.settings import load_settings
from tests.data import ROOT
from tests.house.documents import FENCE, documents

BASE = """\
campaign: base
name: Base
stores: {all: true}
offers: []
"""
BASE_OFFER = """\
offer: base
trigger: {near: vicinity}
channels: [push]
message: {push: {body: {en: "Hello"}}}
"""
CAMPAIGN_KEYS = {
    "campaign",
    "name",
    "timezone",
    "from",
    "until",
    "stores",
    "holdout",
    "attribution",
    "offers",
}


def blocks(language: str) -> list[Any]:
    """Every fenced block of a language, as a parameter named after its document and line."""
    found = []
    for document in documents():
        text = document.read_text(encoding="utf-8")
        for fence in FENCE.finditer(text):
            if fence["language"] == language:
                line = text.count("\n", 0, fence.start()) + 1
                found.append(pytest.param(fence["body"], id=f"{document.name}:{line}"))
    return found


def completed(fragment: str) -> str:
    """A fragment of a campaign as a whole one: keys of an offer stand in the base campaign's only offer."""
    yaml = YAML()
    yaml.preserve_quotes = True
    given = yaml.load(fragment)
    campaign, offer = yaml.load(BASE), yaml.load(BASE_OFFER)
    campaign["offers"] = [offer]
    for key, value in given.items():
        (campaign if key in CAMPAIGN_KEYS else offer)[key] = value
    out = io.StringIO()
    yaml.dump(campaign, out)
    return out.getvalue()


@pytest.mark.parametrize("body", blocks("yaml"))
def test_every_campaign_and_scenario_in_a_document_can_be_read(body: str) -> None:
    if body.startswith("scenario:"):
        assert read_scenario(body, "document", folder=ROOT).crowd.kinds()
        return
    whole = body.startswith("campaign:") and "\noffers:" in body
    assert read_campaign(body if whole else completed(body), "document").offers


@pytest.mark.parametrize("body", blocks("json"))
def test_every_batch_and_store_file_in_a_document_can_be_read(body: str) -> None:
    document = json.loads(body)
    if "sightings" in document:
        batch = msgspec.json.decode(body, type=Sightings)
        assert batch.sightings
        assert all(one.age_ms is not None or one.at is not None for one in batch.sightings)
    elif document.get("type") == "FeatureCollection":
        assert read_collection(document)


@pytest.mark.parametrize("body", blocks("toml"))
def test_every_configuration_in_a_document_can_be_loaded(body: str, tmp_path: Path) -> None:
    file = tmp_path / "m2s.toml"
    file.write_text(body, encoding="utf-8")
    assert load_settings(file).pressure_rates


def test_every_key_of_a_campaign_file_has_an_example() -> None:
    text = (ROOT / "docs/campaign-managers.md").read_text(encoding="utf-8")
    yaml = "\n".join(fence["body"] for fence in FENCE.finditer(text) if fence["language"] == "yaml")
    words = (
        "near enter dwell beacon at audience_near within seen_within place proximity for zone days hours open"
    )
    words += (
        " closing_buffer fresh audience consent limits per_shopper channels valid_for coupon value min_basket"
    )
    words += (
        " expires message push sms webhook title body priority trigger when offer tags brands ids all window"
    )
    missing = [word for word in {*words.split(), *CAMPAIGN_KEYS} if f"{word}:" not in yaml]
    assert sorted(missing) == []
