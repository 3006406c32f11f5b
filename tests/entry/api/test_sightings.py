"""What does the fast door take, item by item, and what does it answer?"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from starlette.types import Message

from m2s.entry.api.app import create_app
from m2s.entry.api.sightings import MOST_BYTES, SAMPLED_EVERY, unknown_fields
from tests.entry.api.wiring import BEACON, CAMPAIGN, Service

JSON = {"content-type": "application/json"}


def beacon(**changes: Any) -> dict[str, Any]:
    return {
        "id": "b1",
        "kind": "beacon",
        "age_ms": 0,
        "uuid": BEACON,
        "major": 1,
        "minor": 0,
        "rssi_dbm": -60,
    } | changes


def fence(**changes: Any) -> dict[str, Any]:
    return {
        "id": "g1",
        "kind": "geofence",
        "age_ms": 0,
        "transition": "enter",
        "region_ids": ["port/vicinity"],
    } | changes


BAD_FIELDS = [
    ({"latitude": 91}, "/latitude"),
    ({"longitude": -180.1}, "/longitude"),
    ({"latitude": "48.85"}, "/latitude"),
    ({"latitude": True}, "/latitude"),
    ({"latitude": None}, "/latitude"),
    ({"latitude": [48.85]}, "/latitude"),
    ({"accuracy_m": -1}, "/accuracy_m"),
    ({"accuracy_m": False}, "/accuracy_m"),
    ({"mocked": 1}, "/mocked"),
    ({"age_ms": -1}, "/age_ms"),
    ({"age_ms": 1.5}, "/age_ms"),
    ({"age_ms": 10**30}, "/age_ms"),
    ({"age_ms": True}, "/age_ms"),
    ({"at": "2026-11-03T09:00:00"}, "/at"),
    ({"at": "yesterday"}, "/at"),
    ({"at": 1_762_160_400}, "/at"),
    ({"id": ""}, "/id"),
    ({"id": "x" * 65}, "/id"),
    ({"id": 7}, "/id"),
    ({"id": "a\u0000b"}, "/id"),
    ({"id": "a\u202eb"}, "/id"),
    ({"source": "a\nb"}, "/source"),
]


@pytest.mark.parametrize(("change", "place"), BAD_FIELDS)
def test_a_bad_item_is_rejected_by_field_and_its_neighbours_are_kept(
    shared: Service, change: dict[str, Any], place: str
) -> None:
    before = shared.kept()
    answer = shared.send("device", shared.fix(), shared.fix() | change, shared.fix())
    assert answer.status_code == 200
    verdicts = answer.json()
    assert (verdicts["accepted"], [item["index"] for item in verdicts["rejected"]]) == (2, [1])
    assert verdicts["rejected"][0]["code"] == "invalid"
    assert verdicts["rejected"][0]["detail"].startswith(place)
    assert shared.kept() == before + 2


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"kind": "smell", "id": "x"}, "unknown_kind"),
        ({"id": "x"}, "invalid"),
        ([], "invalid"),
        (5, "invalid"),
        (None, "invalid"),
        ({"kind": "location", "id": "x", "latitude": 1, "longitude": 1, "accuracy_m": 1}, "missing_time"),
        (beacon(major=70_000), "invalid"),
        (beacon(minor=-1), "invalid"),
        (beacon(major=True), "invalid"),
        (beacon(rssi_dbm=-60.5), "invalid"),
        (beacon(uuid="not-a-uuid"), "invalid"),
        (beacon(samples=[{"age_ms": 0, "rssi_dbm": 500}]), "invalid"),
        (fence(region_ids=[]), "invalid"),
        (fence(region_ids=["a/\u0000b"]), "invalid"),
        (fence(transition="leave"), "invalid"),
        (fence(transition=None), "invalid"),
        (fence(age_ms=None, at="1901-01-01T00:00:00Z"), "time_out_of_range"),
        (fence(age_ms=None, at="2101-01-01T00:00:00Z"), "time_out_of_range"),
        (fence(age_ms=None, at="0001-01-01T00:00:00+14:00"), "time_out_of_range"),
        (fence(age_ms=10**12), "time_out_of_range"),
    ],
)
def test_each_kind_of_bad_item_has_its_code(shared: Service, item: Any, code: str) -> None:
    answer = shared.send("device", shared.fix(), item).json()
    assert answer["accepted"] == 1
    assert [(item["index"], item["code"]) for item in answer["rejected"]] == [(1, code)]


def test_the_verdicts_add_up_to_the_items_sent(service: Service) -> None:
    first = service.fix()
    far = service.fix(latitude=-40.0)
    answer = service.send("device", first, first, far, beacon(minor=99), fence(), {"kind": "location"}).json()
    assert (answer["accepted"], answer["away"], answer["duplicates"]) == (2, 2, 1)
    assert answer["rejected"][0]["id"] is None
    assert service.send("device", first).json()["duplicates"] == 1


def test_a_number_beyond_double_precision_costs_only_its_item(shared: Service) -> None:
    bad = json.dumps(shared.fix()).replace("48.85", "1e999")
    body = f'{{"sightings": [{bad}, {json.dumps(shared.fix())}]}}'
    answer = shared.call("POST", "/v1/sightings", "device", content=body, headers=JSON).json()
    assert (answer["accepted"], answer["rejected"][0]["detail"]) == (1, "/latitude: write a finite number")


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("field", ["latitude", "age_ms", "id", "mocked"])
def test_a_number_that_is_none_costs_only_its_item(shared: Service, field: str, constant: str) -> None:
    bad = json.dumps(shared.fix(id="NaN", source="[NaN]") | {field: "@"}).replace('"@"', constant)
    good = [json.dumps(shared.fix(source='"[NaN]')) for _ in range(2)]
    body = f'{{"sightings": [{good[0]}, {bad}, {good[1]}]}}'
    answer = shared.call("POST", "/v1/sightings", "device", content=body, headers=JSON).json()
    assert answer["accepted"] == 2
    assert [(item["index"], item["code"], item["detail"]) for item in answer["rejected"]] == [
        (1, "invalid", f"/{field}: write a finite number")
    ]


@pytest.mark.parametrize(
    "half", ["\\ud83d", "\\uDE00", "\\ude00\\ud83d", "\\\\\\ud83d", "\\ud83d\\ud83d\\ude00"]
)
def test_a_text_that_was_cut_within_an_emoji_costs_only_its_item(shared: Service, half: str) -> None:
    bad = json.dumps(shared.fix(source="@")).replace("@", half)
    unknown = json.dumps(shared.fix() | {"note": "@"}).replace("@", half)
    good = json.dumps(shared.fix(source="\U0001f600 \\ud83d"))
    body = f'{{"sightings": [{good}, {bad}, {unknown}]}}'
    answer = shared.call("POST", "/v1/sightings", "device", content=body, headers=JSON).json()
    assert (answer["accepted"], [item["index"] for item in answer["rejected"]]) == (2, [1])
    assert answer["rejected"][0]["detail"] == "/source: only printable characters"


def test_rejected_items_are_told_in_the_order_sent(shared: Service) -> None:
    items = [shared.fix(age_ms=10**12), shared.fix(source="a\nb"), shared.fix(latitude=91), shared.fix(id="")]
    rejected = shared.send("device", *items).json()["rejected"]
    assert [item["index"] for item in rejected] == [0, 1, 2, 3]
    assert rejected[0]["code"] == "time_out_of_range"


def test_a_batch_takes_no_query(shared: Service) -> None:
    body = json.dumps({"sightings": [shared.fix()]})
    path = "/v1/sightings?sent_at=2026-11-03T09:00:00Z"
    answer = shared.call("POST", path, "device", content=body, headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["errors"][0] == {
        "pointer": "?sent_at",
        "code": "unknown_parameter",
        "detail": "this route takes no query parameters",
    }


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ('{"sightings": [}', "byte 15 (line 1, column 16): invalid character"),
        ('{"sightings": [', "byte 15 (line 1, column 16): it ends too early"),
    ],
)
def test_a_batch_that_is_no_json_is_refused_by_its_place(shared: Service, body: str, detail: str) -> None:
    answer = shared.call("POST", "/v1/sightings", "device", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["detail"]) == (400, f"the body is not JSON at {detail}")


def test_half_a_surrogate_pair_among_more_escapes_than_a_batch_needs_is_named(shared: Service) -> None:
    body = '{"sightings": [{"id": "\\ud800"}], "x": "' + "\\n" * 100_000 + '"}'
    answer = shared.call("POST", "/v1/sightings", "device", content=body, headers=JSON)
    where = "at byte 29 (line 1, column 30)"
    assert answer.json()["detail"] == f"the body is not JSON {where}: a text holds half of a surrogate pair"


@pytest.mark.parametrize(
    ("item", "detail"),
    [
        (beacon(uuid="nope"), "/uuid: write a UUID, like f7826da6-4fa2-4e98-8024-bc5b71e0893e"),
        (beacon(major=70_000), "/major: write at most 65535"),
        (beacon(samples=[{"age_ms": 0}]), "/samples/0/rssi_dbm: this is required"),
        (fence(transition="leave"), "/transition: write one of dwell, enter, exit"),
        (fence(region_ids=[]), "/region_ids: give at least 1 entry"),
        (fence(at=5), "/at: write text, not a whole number"),
        (fence(at="noon"), "/at: write a time as RFC 3339 with its offset, like 2026-11-02T09:30:00+01:00"),
        (fence(id="x" * 65), "/id: write at most 64 characters"),
        ({"kind": "location"}, "/latitude: this is required"),
        ({}, "/kind: this is required"),
        ({"kind": 5}, "/kind: write text"),
        ([], "write an object, not a list"),
        (fence(latitude="x"), "/latitude: write a number, not text"),
    ],
)
def test_a_verdict_is_a_plain_sentence_without_what_was_sent(shared: Service, item: Any, detail: str) -> None:
    assert shared.send("device", item).json()["rejected"][0]["detail"] == detail


def test_bytes_that_are_not_utf_8_cost_only_their_item(shared: Service) -> None:
    bad = json.dumps(shared.fix(source="Z")).encode().replace(b'"Z"', b'"\xed\xa0\x80"')
    body = b'{"sightings": [' + bad + b"," + json.dumps(shared.fix()).encode() + b"]}"
    answer = shared.call("POST", "/v1/sightings", "device", content=body, headers=JSON).json()
    assert (answer["accepted"], len(answer["rejected"])) == (1, 1)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("{", 400),
        ("[]", 422),
        ("{}", 422),
        ('{"sightings": {}}', 422),
        ('{"sightings": null}', 422),
        ('{"sightings": [], "sent_at": 5}', 422),
        ('{"sightings": NaN}', 422),
        ('{"sightings": [], "sent_at": NaN}', 422),
        ('{"sightings": [NaN', 400),
        ('{"sightings": [' + "[" * 1000 + "]" * 1000 + "]}", 400),
        ('{"sightings": [], "x": ' + "[1, " * 40 + "[]" + "]" * 40 + "}", 400),
        ('{"sightings": ' + "[" * 100_000, 400),
        ('{"sightings": [' + ", ".join(["{}"] * 501) + "]}", 413),
        ('{"sightings": []} trailing', 400),
    ],
)
def test_a_body_that_is_no_batch_is_refused_whole(shared: Service, body: str, status: int) -> None:
    before = shared.kept()
    answer = shared.call("POST", "/v1/sightings", "device", content=body.encode(), headers=JSON)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert shared.kept() == before


def test_five_hundred_are_taken_and_one_more_is_too_many(shared: Service) -> None:
    assert shared.send("device", *(shared.fix(latitude=-40) for _ in range(500))).json()["away"] == 500
    assert shared.send("device", *(shared.fix() for _ in range(501))).status_code == 413


def test_a_deep_unknown_field_is_refused_though_the_rest_is_good(shared: Service) -> None:
    deep: list[Any] = []
    for _ in range(40):
        deep = [deep, 1]
    assert shared.send("device", shared.fix(novelty=deep)).status_code == 400
    assert shared.send("device", shared.fix(novelty=[[[{"a": 1}]]])).json()["accepted"] == 1


def test_gzip_is_taken_within_the_same_limit(shared: Service) -> None:
    headers = JSON | {"content-encoding": "gzip"}

    def post(body: bytes) -> int:
        return shared.call("POST", "/v1/sightings", "device", content=body, headers=headers).status_code

    batch = json.dumps({"sightings": [shared.fix()]}).encode()
    assert post(gzip.compress(batch)) == 200
    blanks = bytes(Random(1).choices(b" \n\t\r", k=MOST_BYTES))
    assert post(gzip.compress(batch + blanks[len(batch) :])) == 200
    assert post(gzip.compress(batch + blanks[len(batch) - 1 :])) == 413
    assert post(gzip.compress(batch + b" " * 500_000)) == 413
    assert post(gzip.compress(bytes(100 * MOST_BYTES), 9)) == 413
    assert post(batch) == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=utf-16"},
        JSON | {"content-encoding": "br"},
        {"content-type": ""},
    ],
)
def test_other_types_and_encodings_are_refused(shared: Service, headers: dict[str, str]) -> None:
    assert shared.call("POST", "/v1/sightings", "device", content=b"{}", headers=headers).status_code == 415


def test_a_body_that_only_grows_is_refused_while_it_arrives(shared: Service) -> None:
    token = shared.keys["device"]
    chunks = 0
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal chunks
        chunks += 1
        return {"type": "http.request", "body": b" " * 65_536, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/sightings",
        "query_string": b"",
        "headers": [
            (b"authorization", f"Bearer {token}".encode()),
            (b"content-type", b"application/json"),
            (b"content-length", b"10"),
        ],
    }
    asyncio.run(create_app(shared.engine)(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 413
    assert chunks == MOST_BYTES // 65_536 + 1


def test_a_server_speaks_for_the_devices_that_exist(service: Service) -> None:
    device_id, _ = service.phone()
    answer = service.send(
        "server",
        service.fix(device_id=device_id),
        service.fix(),
        service.fix(device_id="dev_nobody"),
        service.fix(device_id=device_id, latitude=91),
    ).json()
    assert answer["accepted"] == 1
    codes = {item["index"]: item["code"] for item in answer["rejected"]}
    assert codes == {1: "missing_device", 2: "unknown_device", 3: "invalid"}
    assert service.send("server", service.fix(device_id=device_id)).json()["accepted"] == 1


def test_a_device_speaks_for_itself_only(service: Service) -> None:
    device_id, token = service.phone()
    other_id, _ = service.phone()
    answer = service.send(token, service.fix(device_id=device_id), service.fix(device_id=other_id)).json()
    assert (answer["accepted"], answer["rejected"][0]["code"]) == (1, "other_device")


@pytest.mark.parametrize(("holdout", "seen_by_phone"), [("0%", ["send"]), ("50%", [])])
def test_a_phone_hears_of_a_send_and_never_of_being_held_out(
    service: Service, holdout: str, seen_by_phone: list[str]
) -> None:
    text = CAMPAIGN.replace("holdout: 0%", f"holdout: {holdout}")
    put = service.call(
        "PUT", "/v1/campaigns/morning", "manager", content=text, headers={"content-type": "application/yaml"}
    )
    assert put.status_code == 201, put.text
    wanted = "send" if seen_by_phone else "ghost"

    def outcomes(role: str, item: dict[str, Any]) -> list[str]:
        events = service.send(role, item).json()["events"]
        return [event["outcome"] for event in events if event["type"] == "offer.decided"]

    def decided(device_id: str) -> str:
        found = service.call(
            "GET", f"/v1/decisions?device_id={device_id}", "manager", headers={"x-reason": "a test"}
        )
        return str(found.json()["decisions"][0]["outcome"])

    for _ in range(40):
        device_id, token = service.consenting_phone()
        heard = outcomes(token, service.fix(latitude=48.851))
        if decided(device_id) == wanted:
            assert heard == seen_by_phone
            break
    else:
        pytest.fail(f"no phone of 40 got a {wanted}")


@pytest.mark.parametrize("role", ["device", "server"])
def test_two_phones_of_one_number_are_one_shopper_to_pressure(service: Service, role: str) -> None:
    service.engine.publish.apply_campaign(None, CAMPAIGN)

    def seen(device_id: str, token: str, latitude: float) -> None:
        own = {} if role == "device" else {"device_id": device_id}
        item = service.fix(latitude=latitude, **own)
        assert service.send(token if role == "device" else "server", item).status_code == 200

    def decided(device_id: str) -> list[tuple[str, str | None]]:
        found = service.engine.explain.find(device_id=device_id).decisions
        return [(one.decision.outcome, one.decision.reason) for one in found]

    first, second = (service.consenting_phone() for _ in "12")
    for device_id, token in (first, second):
        seen(device_id, token, 48.0)
        told = {"phone": "+33612345678", "device_id": device_id}
        assert service.call("POST", "/v1/devices/me/identify", "server", json=told).is_success
    seen(*first, 48.851)
    service.clock.advance(timedelta(hours=3))
    seen(*second, 48.851)
    assert decided(second[0]) == [("suppressed", "pressure"), ("send", None)]


def test_a_server_hears_of_every_outcome(service: Service) -> None:
    service.call(
        "PUT",
        "/v1/campaigns/morning",
        "manager",
        content=CAMPAIGN,
        headers={"content-type": "application/yaml"},
    )
    device_id, _ = service.phone()
    events = service.send("server", service.fix(device_id=device_id)).json()["events"]
    assert [event["outcome"] for event in events if event["type"] == "offer.decided"] == ["suppressed"]


def test_unknown_fields_are_ignored_and_counted_in_a_sample(service: Service) -> None:
    for _ in range(SAMPLED_EVERY + 1):
        assert service.send("device", service.fix(battery=7, latitude=-40)).json()["away"] == 1
    metrics = service.call("GET", "/metrics").text
    assert "m2s_sightings_unknown_fields_sampled_total 2.0" in metrics


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ({"sightings": []}, 0),
        ({"sightings": [], "app": 1}, 1),
        (
            {
                "sightings": [
                    fence(a=1, b=2),
                    beacon(samples=[], c=3),
                    5,
                    {"kind": "new", "x": 1},
                    {"kind": []},
                ]
            },
            3,
        ),
    ],
)
def test_unknown_fields_are_counted_by_kind(batch: dict[str, Any], expected: int) -> None:
    assert unknown_fields(json.dumps(batch).encode()) == expected


def test_requests_and_verdicts_are_counted_without_ids(service: Service) -> None:
    device_id, _ = service.phone()
    service.send("device", service.fix(), service.fix(latitude=91))
    service.call("GET", f"/v1/stores/{device_id}", "manager")
    service.call("GET", f"/nowhere/{device_id}")
    text = service.call("GET", "/metrics").text
    assert 'm2s_sightings_total{verdict="accepted"} 1.0' in text
    assert 'm2s_sightings_total{verdict="rejected"} 1.0' in text
    assert 'm2s_requests_total{method="POST",route="/v1/sightings",status="200"} 1.0' in text
    assert 'm2s_requests_total{method="GET",route="/v1/stores/{store_id}",status="404"} 1.0' in text
    assert device_id not in text


def test_a_closed_database_is_a_503_that_asks_to_try_again(service: Service) -> None:
    service.engine.stop()
    answers: list[Callable[[], Any]] = [
        lambda: service.send("device", service.fix()),
        lambda: service.call("GET", "/readyz"),
    ]
    service.engine.access.authenticate(service.keys["device"])
    for ask in answers:
        answer = ask()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["content-type"] == "application/problem+json"
