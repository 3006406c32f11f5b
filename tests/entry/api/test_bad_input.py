"""What does hostile input get? A refusal that names the place, never a 5xx, and nothing of it back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.entry.api.wiring import CAMPAIGN, STORES, Service

JSON = {"content-type": "application/json"}
CONSENT = {
    "purpose": "marketing",
    "channel": "push",
    "granted": True,
    "text_version": "1",
    "at": "2026-11-03T08:00:00Z",
}
ROUTES: dict[tuple[str, str, str], dict[str, Any]] = {
    ("POST", "/v1/devices", "sdk"): {"platform": "ios", "language": "fr", "os_permissions": {"a": "b"}},
    ("PATCH", "/v1/devices/me", "device"): {"push_token": "t", "timezone": "Europe/Paris"},
    ("PUT", "/v1/devices/me/consents", "device"): {"consents": [CONSENT]},
    ("POST", "/v1/devices/me/identify", "device"): {"phone": "+33612345678"},
    ("POST", "/v1/redemptions", "till"): {"code": "x", "store_id": "port", "amount": 5, "currency": "EUR"},
    ("POST", "/v1/purchases", "till"): {"purchases": []},
    ("POST", "/v1/research", "device"): {"research": [], "sent_at": "2026-11-03T08:00:00Z"},
    ("PUT", "/v1/stores", "manager"): STORES,
}
RAW = {
    "nan": b'{"%s": NaN}',
    "infinity": b'{"%s": -Infinity}',
    "too large a number": b'{"%s": 1e999}',
    "5000 digits": b'{"%s": ' + b"9" * 5000 + b"}",
    "half a surrogate pair": b'{"%s": "\\ud800"}',
    "nul": b'{"%s": "\\u0000"}',
    "escape": b'{"%s": "\\u001b[31m"}',
    "raw control": b'{"%s": "\x01"}',
    "repeated key": b'{"%s": "a", "%s": "b"}',
    "depth 17": b'{"%s": ' + b"[" * 17 + b"]" * 17 + b"}",
    "depth 1000": b'{"%s": ' + b"[" * 1000 + b"]" * 1000 + b"}",
    "depth 100000": b'{"%s": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "utf-16": '{"%s": 1}'.encode("utf-16"),
    "latin-1": '{"%s": "é"}'.encode("latin-1"),
    "a list": b"[]",
    "a number": b"5",
    "null": b"null",
    "text": b'"%s"',
    "nothing": b"",
    "half": b'{"%s": ',
    "comments": b'{"%s": 1} // x',
}
WRONG: list[Any] = [
    True,
    5,
    1.5,
    "",
    "x" * 5000,
    [],
    {},
    [[]],
    {"a": {}},
    -1,
    10**40,
    "é\u202e",
    "1901-01-01T00:00:00Z",
]


@pytest.mark.parametrize("kind", RAW)
@pytest.mark.parametrize(("method", "path", "role"), ROUTES)
def test_a_body_that_is_hostile_is_refused_as_a_problem(
    shared: Service, kind: str, method: str, path: str, role: str
) -> None:
    name = next(iter(ROUTES[method, path, role])).encode()
    answer = shared.call(method, path, role, content=RAW[kind].replace(b"%s", name), headers=JSON)
    assert answer.status_code in (400, 413, 415, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "999999" not in answer.text
    assert answer.json()["status"] == answer.status_code


@pytest.mark.parametrize(("method", "path", "role"), ROUTES)
def test_a_value_of_a_wrong_type_is_never_a_fault(shared: Service, method: str, path: str, role: str) -> None:
    good = ROUTES[method, path, role]
    for field in good:
        for wrong in [*WRONG, None]:
            answer = shared.call(method, path, role, json=good | {field: wrong})
            assert answer.status_code < 500, (field, wrong, answer.text)


@pytest.mark.parametrize(
    ("path", "role", "body"),
    [
        ("/v1/devices", "sdk", {"language": True}),
        ("/v1/devices", "sdk", {"language": "french"}),
        ("/v1/devices", "sdk", {"platform": "windows"}),
        ("/v1/devices", "sdk", {"timezone": "Europe"}),
        ("/v1/devices", "sdk", {"timezone": "../../etc/passwd"}),
        ("/v1/devices", "sdk", {"push_token": 5}),
        ("/v1/devices", "sdk", {"os_permissions": {"a": True}}),
        ("/v1/redemptions", "till", {"code": "x", "store_id": "port", "amount": True}),
        ("/v1/redemptions", "till", {"code": "x", "store_id": "port", "amount": "NaN"}),
        ("/v1/redemptions", "till", {"code": "x", "store_id": "port", "amount": "1e9"}),
        ("/v1/redemptions", "till", {"code": "x", "store_id": "port", "amount": "1_0"}),
        ("/v1/redemptions", "till", {"code": "x", "store_id": "port", "amount": "\uff11\uff12"}),
        ("/v1/redemptions", "till", {"code": "x", "store_id": "port", "amount": " 1"}),
        ("/v1/redemptions", "till", {"code": "x", "store_id": "port", "amount": "+1"}),
        ("/v1/redemptions", "till", {"code": "x", "store_id": "port", "amount": 1.005}),
        ("/v1/redemptions", "till", {"code": "x", "store_id": "port", "currency": "euro"}),
        ("/v1/redemptions", "till", {"code": "x", "store_id": "port", "ammount": 5}),
        ("/v1/redemptions", "till", {"code": "x", "store_id": "'; DROP TABLE coupons"}),
    ],
)
def test_a_bad_value_is_a_422_that_names_it(
    shared: Service, path: str, role: str, body: dict[str, Any]
) -> None:
    answer = shared.call("POST", path, role, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"/{list(body)[-1]}" or "os_permissions" in body


@pytest.mark.parametrize(
    ("path", "role", "body", "detail"),
    [
        ("/v1/devices", "sdk", {"language": "french"}, "write two small letters, like fr"),
        ("/v1/devices", "sdk", {"language": 5}, "write text"),
        ("/v1/devices", "sdk", {"platform": "windows"}, "write one of ios, android"),
        ("/v1/devices", "sdk", {"push_token": "x" * 4097}, "write at most 4096 characters"),
        ("/v1/devices", "sdk", {"push_token": ""}, "write at least 1 character"),
        ("/v1/devices", "sdk", {"os_permissions": []}, "write an object"),
        (
            "/v1/devices",
            "sdk",
            {"os_permissions": {f"p{number}": "yes" for number in range(21)}},
            "give at most 20 entries",
        ),
        ("/v1/redemptions", "till", {"code": "x"}, "this is required"),
        ("/v1/redemptions", "till", {"code": "x", "store_id": None}, "write text"),
        ("/v1/redemptions", "till", {"code": "x", "store_id": "port", "a": 1}, "there is no such field"),
        (
            "/v1/redemptions",
            "till",
            {"code": "x", "store_id": "a b"},
            "write 1 to 64 letters, digits, hyphens and underscores",
        ),
        (
            "/v1/redemptions",
            "till",
            {"code": "x", "store_id": "port", "currency": "€"},
            "write three capital letters, like EUR",
        ),
    ],
)
def test_what_is_wrong_with_a_value_is_said_in_a_plain_sentence(
    shared: Service, path: str, role: str, body: dict[str, Any], detail: str
) -> None:
    answer = shared.call("POST", path, role, json=body)
    assert [item["detail"] for item in answer.json()["errors"]] == [detail]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("latitude=91&longitude=0&platform=ios", "write at most 90"),
        ("latitude=x&longitude=0&platform=ios", "write a number"),
        ("latitude=nan&longitude=0&platform=ios", "write a finite number"),
        ("latitude=1&longitude=0&platform=ios&limit=1.5", "write a whole number"),
        ("latitude=1&longitude=0&platform=ios&limit=0", "write at least 1"),
    ],
)
def test_what_is_wrong_with_a_query_is_said_in_a_plain_sentence(
    shared: Service, query: str, detail: str
) -> None:
    answer = shared.call("GET", f"/v1/regions?{query}", "device")
    assert [item["detail"] for item in answer.json()["errors"]] == [detail]


@pytest.mark.parametrize(
    "change",
    [
        {"at": "1901-01-01T00:00:00Z"},
        {"at": "2101-01-01T00:00:00Z"},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"at": "9999-12-31T23:59:59-14:00"},
        {"at": "2026-11-03T08:00:00"},
        {"at": 5},
        {"granted": 1},
        {"granted": "true"},
        {"channel": None},
        {"purpose": "location"},
        {"text_version": ""},
    ],
)
def test_a_bad_consent_is_not_kept(service: Service, change: dict[str, Any]) -> None:
    _, token = service.phone()
    answer = service.call(
        "PUT", "/v1/devices/me/consents", token, json={"consents": [CONSENT, CONSENT | change]}
    )
    assert answer.status_code == 422
    assert service.call("GET", "/v1/devices/me/consents", token).json() == {"consents": []}


@pytest.mark.parametrize(
    "query",
    [
        "latitude=nan&longitude=0&platform=ios",
        "latitude=inf&longitude=0&platform=ios",
        "latitude=1e999&longitude=0&platform=ios",
        "latitude=91&longitude=0&platform=ios",
        "latitude=true&longitude=0&platform=ios",
        "latitude=&longitude=0&platform=ios",
        "longitude=0&platform=ios",
        "latitude=1&longitude=0&platform=symbian",
        "latitude=1&longitude=0&platform=ios&limit=0",
        "latitude=1&longitude=0&platform=ios&limit=" + "9" * 5000,
        "latitude=%00&longitude=%ff&platform=ios",
    ],
)
def test_a_bad_query_is_a_422(shared: Service, query: str) -> None:
    answer = shared.call("GET", f"/v1/regions?{query}", "device")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize(
    "part", ["%00", "..%2f..%2fetc", "%ff%fe", "a" * 5000, "' OR 1=1 --", "é", "%0d%0aX: y"]
)
@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/v1/stores/{}", "manager"),
        ("/v1/campaigns/{}", "manager"),
        ("/v1/coupons/{}", "till"),
        ("/v1/coupons/{}.svg", "till"),
        ("/v1/reports/{}", "analyst"),
        ("/v1/decisions/{}", "privacy"),
    ],
)
def test_a_hostile_path_finds_nothing(shared: Service, path: str, role: str, part: str) -> None:
    answer = shared.call("GET", path.format(part), role, headers={"x-reason": "a test"})
    assert answer.status_code in (404, 422)


def test_bodies_over_their_limit_are_refused(shared: Service) -> None:
    small = json.dumps({"push_token": "x" * 70_000})
    assert shared.call("PATCH", "/v1/devices/me", "device", content=small, headers=JSON).status_code == 413
    long_yaml = CAMPAIGN + "#" * 262_144
    yaml = {"content-type": "application/yaml"}
    assert (
        shared.call("PUT", "/v1/campaigns/a", "manager", content=long_yaml, headers=yaml).status_code == 413
    )
    packed = JSON | {"content-encoding": "gzip"}
    assert shared.call("PATCH", "/v1/devices/me", "device", content=b"{}", headers=packed).status_code == 415


def test_a_store_file_of_several_hundred_kilobytes_is_taken(service: Service) -> None:
    feature = {key: value for key, value in STORES["features"][0].items() if key != "id"}
    properties = {key: value for key, value in feature["properties"].items() if key != "beacons"}
    many = [feature | {"id": f"s{number}", "properties": properties} for number in range(1000)]
    answer = service.call(
        "PUT", "/v1/stores", "manager", json={"type": "FeatureCollection", "features": many}
    )
    assert answer.json()["stores"] == 1000


@pytest.mark.parametrize(
    "yaml", [b"", b"\xff\xfe", b"a: &x [*x]", b"[" * 5000, b"campaign: \x00", b"%YAML 1.1\n---\n"]
)
def test_a_broken_campaign_is_a_422(shared: Service, yaml: bytes) -> None:
    headers = {"content-type": "application/yaml"}
    answer = shared.call("POST", "/v1/campaigns/validate", "manager", content=yaml, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"]
