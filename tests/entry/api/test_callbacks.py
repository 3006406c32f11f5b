"""Do SMS providers' receipts move messages, and does nobody else's? Over HTTP, as the providers send them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from m2s.adapters.channels.twilio_callbacks import signature as signature_of
from m2s.app.outbox import AttemptRow
from m2s.app.ports import Records
from m2s.app.rows import MessageRow
from m2s.core.delivery.message import NEXT, State
from m2s.core.delivery.receipts import Receipt
from m2s.core.delivery.receipts import state_of as pure
from tests.entry.api.calling import ADDRESS, PHONE, TOKEN, counted, gateway, listening, ovh, twilio
from tests.entry.api.wiring import Service


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with listening(tmp_path_factory.mktemp("callbacks")) as found:
        yield found


def sent(service: Service, provider_id: str, *, state: str = "accepted", parts: int = 1) -> str:
    """An SMS that a provider has taken under an id of its own; its id here."""
    service.made += 1
    now, message_id = service.clock.now(), f"msg_{service.made}"
    row = MessageRow(
        id=message_id,
        decision_id=message_id.replace("msg", "dec"),
        shopper_id="shp_x",
        device_id=None,
        campaign_id="morning",
        offer_id="warm",
        store_id="port",
        channel="sms",
        title=None,
        body="b",
        state=state,
        reason=None,
        not_before=now,
        valid_until=now + timedelta(minutes=45),
        created_at=now,
        tries=0,
        fence=1,
    )
    attempt = AttemptRow(message_id, "sms", "accepted", provider_id, None, now, parts)

    def work(records: Records) -> None:
        records.messages.add([row])
        records.messages.add_attempts([attempt])

    service.engine.database.write(work)
    return message_id


def message(service: Service, message_id: str) -> MessageRow:
    """An SMS as it is now."""
    decision_id = message_id.replace("msg", "dec")
    with service.engine.database.read() as records:
        return records.messages.of_decisions([decision_id])[decision_id]


def receipts(service: Service, provider_id: str) -> int:
    """How many receipts are kept."""
    with service.engine.database.read() as records:
        return len(records.receipts.of(provider_id))


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("queued", "accepted"),
        ("sent", "accepted"),
        ("delivered", "delivered"),
        ("read", "delivered"),
        ("undelivered", "undelivered"),
        ("failed", "undelivered"),
        ("a status of tomorrow", "accepted"),
    ],
)
def test_twilio_says_what_became_of_an_sms(desk: Service, status: str, state: str) -> None:
    message_id = sent(desk, sid := f"SM{status}", parts=3)
    answer = twilio(desk, MessageSid=sid, MessageStatus=status, To=PHONE, ErrorCode="30005", New="é")
    assert (answer.status_code, answer.content) == (204, b"")
    assert message(desk, message_id).state == state
    reason = f"{status} 30005" if state == "undelivered" else None
    assert message(desk, message_id).reason == reason


@pytest.mark.parametrize(
    ("code", "state"), [("1", "accepted"), ("3", "accepted"), ("4", "delivered"), ("23", "undelivered")]
)
def test_ovhcloud_says_what_became_of_an_sms(desk: Service, code: str, state: str) -> None:
    message_id = sent(desk, f"1000{code}")
    told = {
        "id": f"1000{code}",
        "ptt": code,
        "date": "20261103100000",
        "description": "1",
        "descriptionDlr": "x",
    }
    assert ovh(desk, **told).status_code == 204
    assert message(desk, message_id).state == state


def test_a_gateway_names_an_sms_by_its_own_id_or_by_ours(desk: Service) -> None:
    theirs, ours = sent(desk, "gw-1"), sent(desk, "unused", state="unknown")
    for name in ("gw-1", ours):
        body = {"report": {"id": name, "status": "DELIVRD", "part": 1, "parts": 1}}
        assert gateway(desk, body).status_code == 204
    assert message(desk, theirs).state == message(desk, ours).state == "delivered"


FORGED: list[Any] = [
    lambda desk, sid: twilio(desk, key="wrong", MessageSid=sid, MessageStatus="delivered"),
    lambda desk, sid: twilio(desk, url=f"{ADDRESS}/x", MessageSid=sid, MessageStatus="delivered"),
    lambda desk, sid: desk.call(
        "POST", "/v1/callbacks/twilio", content=f"MessageSid={sid}&MessageStatus=delivered"
    ),
    lambda desk, sid: ovh(desk, token="k" * 32, id=sid, ptt="4"),
    lambda desk, sid: desk.call("POST", f"/v1/callbacks/ovh?id={sid}&ptt=4"),
    lambda desk, sid: gateway(
        desk, {"report": {"id": sid, "status": "DELIVRD"}}, secret="another secret of 16"
    ),
    lambda desk, sid: desk.call(
        "POST", "/v1/callbacks/gateway", json={"report": {"id": sid, "status": "DELIVRD"}}
    ),
]


@pytest.mark.parametrize("forged", FORGED)
def test_who_is_not_the_provider_changes_nothing(desk: Service, forged: Any) -> None:
    message_id = sent(desk, sid := f"SMforged{desk.made}")
    answer = forged(desk, sid)
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert message(desk, message_id).state == "accepted"
    assert receipts(desk, sid) == 0


def test_twilios_published_example_is_signed_as_we_check_it() -> None:
    form = {"CallSid": "CA1234567890ABCDE", "Caller": "+12349013030", "Digits": "1234"}
    form |= {"From": "+12349013030", "To": "+18005551212"}
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert signature_of(b"12345", url, form.items()) == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="


def test_the_query_of_the_address_is_signed_with_it(desk: Service) -> None:
    message_id = sent(desk, "SMquery")
    answer = twilio(desk, url=f"{ADDRESS}?from=eu", MessageSid="SMquery", MessageStatus="delivered")
    assert answer.status_code == 204
    assert message(desk, message_id).state == "delivered"


@pytest.mark.parametrize("provider", ["fcm", "apns", "console", "nobody"])
def test_who_does_not_report_is_not_listened_to(desk: Service, provider: str) -> None:
    assert desk.call("POST", f"/v1/callbacks/{provider}").status_code == 404


def test_a_provider_without_settings_for_it_is_not_listened_to(shared: Service) -> None:
    for path in ("twilio", "ovh", "gateway", f"ovh/{TOKEN}"):
        assert shared.call("POST", f"/v1/callbacks/{path}").status_code == 404


NONSENSE: list[Any] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff",
    {"report": {"id": "x"}},
    {"report": {"status": "DELIVRD"}},
]
NONSENSE += [
    {"report": {"id": "x", "status": "DELIVRD", "part": part, "parts": 2}} for part in ("", 0, 256, "x")
]
NONSENSE += [{"report": {"id": "\ud800", "status": "DELIVRD", "part": 1, "parts": 1}}]


@pytest.mark.parametrize("body", NONSENSE)
def test_what_cannot_be_understood_is_refused_and_not_kept(desk: Service, body: Any) -> None:
    answer = gateway(desk, body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert receipts(desk, "x") == 0


def test_a_receipt_that_comes_again_is_counted_once_and_changes_nothing(desk: Service) -> None:
    message_id = sent(desk, "SMagain")
    before = [
        counted(desk, f'm2s_receipts_total{{provider="twilio",verdict="{it}"}}') for it in ("new", "repeated")
    ]
    delivered = counted(desk, 'm2s_messages_total{channel="sms",state="delivered"}')
    for _ in range(3):
        twilio(desk, MessageSid="SMagain", MessageStatus="delivered")
    after = [
        counted(desk, f'm2s_receipts_total{{provider="twilio",verdict="{it}"}}') for it in ("new", "repeated")
    ]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 2]
    assert counted(desk, 'm2s_messages_total{channel="sms",state="delivered"}') - delivered == 1
    assert (receipts(desk, "SMagain"), message(desk, message_id).state) == (1, "delivered")


part = st.tuples(st.integers(1, 3), st.sampled_from(["BUFFRED", "DELIVRD", "UNDELIV", "EXPIRED"]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(part, min_size=1, max_size=7), order=st.randoms(use_true_random=False))
def test_any_order_of_receipts_with_repeats_ends_in_one_state(
    desk: Service, told: list[tuple[int, str]], order: Any
) -> None:
    """The state is that of the pure rule, and no receipt takes back what one before it said."""
    shuffled = told + told[:2]
    order.shuffle(shuffled)
    ends = []
    for run in (told, shuffled):
        message_id = sent(desk, name := f"gw-any-{desk.made}", parts=3)
        way = []
        for number, status in run:
            gateway(desk, {"report": {"id": name, "status": status, "part": number, "parts": 3}})
            way.append(State(message(desk, message_id).state))
        assert all(now == then or now in NEXT[then] for then, now in pairwise(way))
        ends.append((message(desk, message_id).state, message(desk, message_id).reason))
    means = {"DELIVRD": State.DELIVERED, "UNDELIV": State.UNDELIVERED, "EXPIRED": State.UNDELIVERED}
    rule = pure([Receipt(number, means.get(status)) for number, status in told], parts=3)
    assert ends[0] == ends[1]
    assert ends[0][0] == rule


def test_an_sms_of_three_parts_is_delivered_when_every_part_is(desk: Service) -> None:
    message_id = sent(desk, "gw-three")
    for number, state in ((2, "accepted"), (3, "accepted"), (1, "delivered")):
        gateway(desk, {"report": {"id": "gw-three", "status": "DELIVRD", "part": number, "parts": 3}})
        assert message(desk, message_id).state == state


@pytest.mark.parametrize("state", ["planned", "claimed", "refused", "cancelled", "expired", "unknown_final"])
def test_a_receipt_does_not_move_what_it_cannot_be_of(desk: Service, state: str) -> None:
    message_id = sent(desk, name := f"SM{state}", state=state)
    assert twilio(desk, MessageSid=name, MessageStatus="delivered").status_code == 204
    assert message(desk, message_id).state == state
