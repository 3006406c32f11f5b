"""Are the requests that apps are told to make taken? Those of the page are sent, and its code makes no others."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response

from m2s.core.places.geojson import read_collection
from tests.data import ROOT
from tests.entry.api.wiring import Service, running
from tests.house.documents import FENCE

PAGE = (ROOT / "docs/app-developers.md").read_text(encoding="utf-8")
KIOSK = "```json kiosk.geojson\n"
CODE = ("swift", "kotlin")
CALL = re.compile(r'call\(\s*"(?P<method>[A-Z]+)", "(?P<path>/v1/[\w/]+)')
KEYS = {
    "swift": re.compile(r'"(\w+)":|(?<=item\[")\w+(?="\] = )'),
    "kotlin": re.compile(r'"(\w+)" to |(?<=\.put\(")\w+(?=")'),
}
HEADER = re.compile(r'"((?:If|Idempotency|Content|Authorization)[\w-]*)"')


@dataclass(frozen=True)
class Shown:
    """A request as the page shows it, and the status of its answer."""

    method: str
    target: str
    headers: dict[str, str]
    body: str
    status: int

    @property
    def route(self) -> tuple[str, str]:
        return self.method, self.target.split("?")[0]


def shown() -> list[Shown]:
    found = []
    for fence in FENCE.finditer(PAGE):
        if fence["language"] != "http":
            continue
        head, _, body = fence["body"].partition("\n\n")
        line, *fields = head.strip().splitlines()
        method, target, _ = line.split(" ")
        headers = dict(field.split(": ", 1) for field in fields)
        found.append(Shown(method, target, headers, body, int(fence[0].split("\n")[0].split()[1])))
    return found


def code(language: str) -> str:
    return "\n".join(fence["body"] for fence in FENCE.finditer(PAGE) if fence["language"] == language)


def keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(key for inner in value.values() for key in keys(inner))}
    return {key for inner in value for key in keys(inner)} if isinstance(value, list) else set()


class Phone:
    """Sends what is shown, with the key of its service, and with the token and the ETag that it was given."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.known = {"sdk_key": service.keys["sdk"]}

    def send(self, request: Shown) -> Response:
        headers = {name: self.filled(value) for name, value in request.headers.items()}
        content = request.body.encode()
        if headers.get("Content-Encoding") == "gzip":
            content = gzip.compress(content)
        answer = self.service.client.request(request.method, request.target, headers=headers, content=content)
        if "etag" in answer.headers:
            self.known["etag"] = answer.headers["etag"]
        if answer.status_code == 201:
            self.known["device_token"] = answer.json()["device_token"]
        return answer

    def filled(self, text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda name: self.known[name[1]], text)


@pytest.fixture
def service(tmp_path: Path) -> Any:
    """A service with the stores of the walk-through."""
    example = (ROOT / "m2s/entry/cli/templates/stores.geojson").read_text(encoding="utf-8")
    kiosk = (ROOT / "docs/operators.md").read_text(encoding="utf-8").split(KIOSK)[1].split("```")[0]
    with running(tmp_path) as found:
        for text in (example, kiosk):
            found.engine.publish.publish_stores(read_collection(json.loads(text)))
        yield found


def test_each_request_gets_its_answer_and_sightings_are_taken_once(service: Service) -> None:
    phone, requests = Phone(service), shown()
    assert len(requests) >= 7
    for request in requests:
        answer = phone.send(request)
        assert answer.status_code == request.status, (request, answer.text)
        if request.route != ("POST", "/v1/sightings"):
            continue
        count = len(json.loads(request.body)["sightings"])
        taken = {"accepted": count, "away": 0, "duplicates": 0, "rejected": []}
        assert {name: answer.json()[name] for name in taken} == taken
        again = phone.send(request).json()
        assert (again["accepted"], again["duplicates"]) == (0, count)


def test_the_plan_that_the_page_shows_is_the_one_that_is_given(service: Service) -> None:
    (fence,) = (fence for fence in FENCE.finditer(PAGE) if fence[0].startswith("```json regions\n"))
    (query,) = re.findall(r'"\$M2S/v1/regions\?([^"]*)"', PAGE)
    given = service.call("GET", f"/v1/regions?{query}", "device").json()
    assert given | {"version": "…"} == json.loads(fence["body"])


@pytest.mark.parametrize("language", CODE)
def test_the_code_makes_the_requests_that_are_shown_and_no_others(language: str) -> None:
    routes = {(call["method"], call["path"]) for call in CALL.finditer(code(language))}
    assert routes == {request.route for request in shown()}


@pytest.mark.parametrize("language", CODE)
def test_the_code_sends_the_fields_that_are_shown_and_no_others(language: str) -> None:
    bodies = {key for request in shown() if request.body for key in keys(json.loads(request.body))}
    sent = {found[1] or found[0] for found in KEYS[language].finditer(code(language))}
    assert sent == bodies


def test_the_code_sends_the_headers_that_are_shown_and_no_others() -> None:
    sent = {header for language in CODE for header in HEADER.findall(code(language))}
    assert sent == {name for request in shown() for name in request.headers}


def test_the_page_says_that_nobody_compiled_its_code() -> None:
    assert "**not compiled or run here**" in PAGE
