"""Can the examples in the documents be read by what reads them in earnest? YAML, sightings, stores, settings."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from ruamel.yaml import YAML

from campaigns.reader import read_campaign
from campaigns.reader_keys import A_CAMPAIGN
from campaigns.schema import campaign_schema
from m2s.core.places.geojson import read_collection
from m2s.entry.api.sightings import Sightings
from m2s.entry.cli.configuration import load_settings
from m2s.entry.cli.scenario_file import read_scenario
from tests.campaigns.as_json import as_json, every_key, used
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
CAMPAIGN_KEYS = frozenset(A_CAMPAIGN.names)


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
    assert load_settings(file).pressure_rules


def test_every_key_of_a_campaign_file_has_an_example() -> None:
    shown: set[str] = set()
    text = (ROOT / "docs/campaigns.md").read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        if fence["language"] == "yaml":
            body = fence["body"]
            shown |= used(as_json(body if "offers:" in body else completed(body)), A_CAMPAIGN)
    assert sorted(every_key(A_CAMPAIGN) - shown) == []


@pytest.mark.parametrize(
    "body", [block for block in blocks("yaml") if not block.values[0].startswith("scenario:")]
)
def test_every_campaign_in_a_document_fits_the_schema(body: str) -> None:
    text = body if body.startswith("campaign:") and "\noffers:" in body else completed(body)
    jsonschema_rs.Draft202012Validator(campaign_schema()).validate(as_json(text))
