"""Does STOP stop, START take back no more than that, and do HELP and HOURS get an answer? Over HTTP, as they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from m2s.app.rows import ConsentRow, MessageRow
from m2s.core.places.geojson import read_collection
from tests.entry.api.calling import PHONE, counted, gateway, listening, new_id, ovh, reply, twilio
from tests.entry.api.wiring import STORES, Service

CAMPAIGN = """
campaign: texts
name: Texts
stores: {tags: [bakery]}
holdout: 0%
offers:
  - offer: warm
    trigger: {enter: premises}
    channels: [sms]
    valid_for: 45m
    message:
      sms: {en: "{brand}: warm. STOP {stop_number}"}
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Service]:
    with listening(tmp_path) as found:
        yaml = {"content-type": "application/yaml"}
        assert found.call("PUT", "/v1/campaigns/texts", "manager", content=CAMPAIGN, headers=yaml).is_success
        yield found


def shopper(
    desk: Service, *, phone: str | None = PHONE, granted: bool | None = True, **more: Any
) -> tuple[str, str]:
    """A phone whose owner agreed to SMS; its shopper and token."""
    device_id, token = desk.phone(language="en", timezone="Europe/Paris", **more)
    agree(desk, token, granted)
    if phone is not None:
        name(desk, token, phone)
    row = desk.engine.devices.device(device_id)
    return row.shopper_id, token


def agree(desk: Service, token: str, granted: bool | None) -> None:
    """Says in the app whether SMS may come; None says nothing of them."""
    given = {"text_version": "1", "at": desk.clock.now().isoformat()}
    consents: list[dict[str, Any]] = [{"purpose": "location", "channel": None, "granted": True, **given}]
    if granted is not None:
        consents.append({"purpose": "marketing", "channel": "sms", "granted": granted, **given})
    put = desk.call("PUT", "/v1/devices/me/consents", token, json={"consents": consents})
    assert put.status_code == 200, put.text


def name(desk: Service, token: str, phone: str) -> None:
    """Says in the app which number a phone has."""
    assert desk.call("POST", "/v1/devices/me/identify", token, json={"phone": phone}).is_success


def wants_sms(desk: Service, shopper_id: str) -> bool:
    """Whether SMS may be sent to a shopper."""
    with desk.engine.database.read() as records:
        said: list[ConsentRow] = records.devices.consents([shopper_id]).get(shopper_id, [])
    return any(row.granted for row in said if row.channel == "sms")


def messages(desk: Service, shopper_id: str) -> list[MessageRow]:
    with desk.engine.database.read() as records:
        return records.messages.of_shopper(shopper_id, desk.clock.now())


def offered(desk: Service, token: str) -> None:
    """She comes to the bakery, and an SMS is planned."""
    assert desk.send(token, desk.fix()).json()["events"]


def later(desk: Service, **span: float) -> None:
    desk.clock.advance(timedelta(**span))


def stop_by(desk: Service, provider: str, text: str, phone: str) -> int:
    """The status of a reply as each provider sends it."""
    if provider == "twilio":
        return reply(desk, text, phone=phone).status_code
    if provider == "ovh":
        return ovh(
            desk, id=new_id(), senderid=phone.replace("+", "00"), message=text, shortcode="36000"
        ).status_code
    body = {"reply": {"id": new_id(), "from": phone.removeprefix("+"), "text": text}}
    return gateway(desk, body | {"reply": {**body["reply"], "from": phone}}).status_code


@pytest.mark.parametrize(("provider", "status"), [("twilio", 200), ("ovh", 204), ("gateway", 204)])
def test_stop_is_in_force_for_everybody_with_the_number(desk: Service, provider: str, status: int) -> None:
    (anna, _), (twin, _) = shopper(desk), shopper(desk, phone=None)
    desk.engine.database.write(lambda records: records.devices.set_phone(twin, PHONE, country="FR"))
    other, _ = shopper(desk, phone="+33687654321")
    assert stop_by(desk, provider, "Arrêtez svp", PHONE) == status
    assert [wants_sms(desk, who) for who in (anna, twin, other)] == [False, False, True]


def test_what_is_planned_when_stop_comes_never_leaves(desk: Service) -> None:
    anna, token = shopper(desk)
    offered(desk, token)
    assert [row.state for row in messages(desk, anna)] == ["planned"]
    reply(desk, "STOP 36000")
    desk.engine.deliver.drain()
    assert [(row.state, row.reason) for row in messages(desk, anna)] == [("cancelled", "consent")]


def test_what_a_worker_has_claimed_when_stop_comes_does_not_begin(desk: Service) -> None:
    anna, token = shopper(desk)
    offered(desk, token)
    now = desk.clock.now()
    claimed = desk.engine.database.write(
        lambda records: records.messages.claim("sms", now=now, leased_until_s=9e9, limit=5, most_again=0)
    )
    assert [row.shopper_id for row in claimed] == [anna]
    reply(desk, "stop")
    begun = desk.engine.database.write(
        lambda records: records.messages.begin(claimed, now_s=0.0, leased_until_s=9e9, at=now)
    )
    assert begun == set(), "its fence is over"
    desk.engine.deliver.drain()
    assert [row.state for row in messages(desk, anna)] == ["cancelled"]


def test_stop_of_a_number_that_nobody_has_waits_for_who_comes_with_it(desk: Service) -> None:
    reply(desk, "STOP")
    later(desk, days=400)
    newcomer, token = shopper(desk, granted=None)
    assert not wants_sms(desk, newcomer)
    agree(desk, token, granted=True)
    assert wants_sms(desk, newcomer), "she agreed after it"


def test_who_agreed_before_stop_and_comes_with_the_number_after_it_gets_nothing(desk: Service) -> None:
    anna, token = shopper(desk, phone=None)
    assert wants_sms(desk, anna)
    later(desk, hours=1)
    reply(desk, "STOP")
    later(desk, hours=1)
    name(desk, token, PHONE)
    assert not wants_sms(desk, anna)


def test_naming_the_number_again_does_not_undo_a_later_consent(desk: Service) -> None:
    anna, token = shopper(desk)
    later(desk, hours=1)
    reply(desk, "STOP")
    later(desk, hours=1)
    agree(desk, token, granted=True)
    name(desk, token, PHONE)
    assert wants_sms(desk, anna)


def test_start_takes_back_what_stop_did_and_nothing_else(desk: Service) -> None:
    numbers = [PHONE, "+33600000001", "+33600000002"]
    (agreed, _), (never, _), (withdrew, token) = (
        shopper(desk, phone=phone, granted=granted)
        for phone, granted in zip(numbers, (True, None, True), strict=True)
    )
    later(desk, hours=1)
    agree(desk, token, granted=False)
    for text in ("STOP", "START"):
        later(desk, hours=1)
        for phone in numbers:
            reply(desk, text, phone=phone)
    assert [wants_sms(desk, who) for who in (agreed, never, withdrew)] == [True, False, False]


def test_start_ends_what_waits_for_newcomers(desk: Service) -> None:
    newcomer, token = shopper(desk, phone=None)
    for text in ("STOP", "START"):
        later(desk, hours=1)
        reply(desk, text)
    name(desk, token, PHONE)
    assert wants_sms(desk, newcomer)


def test_start_without_stop_is_no_consent(desk: Service) -> None:
    (never, _), (withdrew, token) = shopper(desk, granted=None), shopper(desk, phone="+33600000001")
    later(desk, hours=1)
    agree(desk, token, granted=False)
    later(desk, hours=1)
    for phone in (PHONE, "+33600000001"):
        reply(desk, "START", phone=phone)
    assert not wants_sms(desk, never)
    assert not wants_sms(desk, withdrew)


def test_a_withdrawal_in_the_app_after_stop_outlives_start(desk: Service) -> None:
    anna, token = shopper(desk)
    for what in ("STOP", None, "START"):
        later(desk, hours=1)
        if what is None:
            agree(desk, token, granted=False)
        else:
            reply(desk, what)
    assert not wants_sms(desk, anna)


def test_a_reply_that_comes_again_does_nothing_again(desk: Service) -> None:
    anna, _ = shopper(desk)
    for text, sid in (("STOP", "SM1"), ("START", "SM2"), ("STOP", "SM1")):
        later(desk, minutes=1)
        reply(desk, text, sid=sid)
    assert wants_sms(desk, anna)
    assert counted(desk, 'm2s_replies_total{provider="twilio",word="stop"}') == 1


def test_without_an_id_every_stop_counts(desk: Service) -> None:
    anna, _ = shopper(desk)
    for text, wanted in (("STOP", False), ("START", True), ("STOP", False)):
        later(desk, minutes=1)
        assert gateway(desk, {"reply": {"from": PHONE, "text": text}}).status_code == 204
        assert wants_sms(desk, anna) == wanted


def test_without_an_id_the_same_words_are_answered_once_in_ten_minutes(desk: Service) -> None:
    anna, token = shopper(desk)
    offered(desk, token)
    desk.engine.deliver.drain()
    for minutes, answers in ((1, 1), (9, 1), (2, 2)):
        later(desk, minutes=minutes)
        assert gateway(desk, {"reply": {"from": PHONE, "text": "HOURS"}}).status_code == 204
        assert len([row for row in messages(desk, anna) if row.is_answer]) == answers
    assert counted(desk, 'm2s_replies_total{provider="gateway",word="hours"}') == 2


def test_without_an_id_a_start_that_comes_again_after_stop_takes_nothing_back(desk: Service) -> None:
    anna, _ = shopper(desk)
    for text, wanted in (("STOP", False), ("START", True), ("STOP", False), ("START", False)):
        later(desk, minutes=1)
        assert gateway(desk, {"reply": {"from": PHONE, "text": text}}).status_code == 204
        assert wants_sms(desk, anna) == wanted
    later(desk, minutes=10)
    gateway(desk, {"reply": {"from": PHONE, "text": "START"}})
    assert wants_sms(desk, anna)


def test_a_provider_that_will_not_send_for_an_opposition_is_believed(desk: Service) -> None:
    anna, _ = shopper(desk)
    answer = twilio(desk, MessageSid="SMx", MessageStatus="failed", ErrorCode="21610", To=PHONE)
    assert answer.status_code == 204
    assert not wants_sms(desk, anna)
    later(desk, hours=1)
    reply(desk, "START")
    assert wants_sms(desk, anna)


def test_stop_by_a_word_of_the_providers_own_is_stop(desk: Service) -> None:
    anna, _ = shopper(desk)
    answer = reply(desk, "Basta", OptOutType="STOP")
    assert "<Message>" not in answer.text
    assert not wants_sms(desk, anna)


def open_stores(desk: Service, hours: str | None) -> None:
    collection = {
        **STORES,
        "features": [
            {
                **one,
                "properties": {
                    **one["properties"],
                    "addr:street": "Quai",
                    **({"opening_hours": hours} if hours else {}),
                },
            }
            for one in STORES["features"]
        ],
    }
    desk.engine.publish.publish_stores(read_collection(collection))


@pytest.mark.parametrize(
    ("hours", "text", "said"),
    [
        ("Mo-Sa 08:00-19:30", "HORAIRES", "Bakery port, Quai : ouvert jusqu'à 19:30."),
        ("Mo-Sa 08:00-19:30", "hours?", "Bakery port, Quai: open until 19:30."),
        ("Mo-Su 14:00-19:30", "ouvert ?", "Bakery port, Quai : fermé jusqu'à 14:00."),
        (
            "We 08:00-12:00",
            "open?",
            "Bakery port, Quai: closed until 4 Nov 08:00.",
        ),
        ("24/7", "HOURS", "Bakery port, Quai: open."),
        (None, "HOURS", "Bakery port, Quai: we do not know the hours."),
    ],
)
def test_hours_are_those_of_the_store_of_the_last_sms(
    desk: Service, hours: str | None, text: str, said: str
) -> None:
    open_stores(desk, hours)
    _, token = shopper(desk)
    offered(desk, token)
    desk.engine.deliver.drain()
    answer = reply(desk, text)
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert (
        answer.text == f'<?xml version="1.0" encoding="UTF-8"?><Response><Message>{said}</Message></Response>'
    )


def test_hours_of_who_got_no_sms_are_those_of_the_store_that_she_visited_last(desk: Service) -> None:
    open_stores(desk, "Mo-Sa 08:00-19:30")
    _, token = shopper(desk, granted=None)
    for minutes in (60, 50, 40):
        desk.send(token, desk.fix(age_ms=minutes * 60_000))
    assert "Bakery port" in reply(desk, "HOURS").text


def test_hours_of_nobody_knows_which_store_say_so(desk: Service) -> None:
    assert "Nous ne savons pas de quel magasin il s'agit." in reply(desk, "horaires").text
    assert "We do not know which store you mean." in reply(desk, "hours").text


def test_help_says_who_writes_and_how_to_stop(desk: Service) -> None:
    _, token = shopper(desk)
    offered(desk, token)
    desk.engine.deliver.drain()
    assert "Bakery port, Bakery port. Répondez STOP" in reply(desk, "aide").text
    assert "Bakery port, Bakery port. Reply STOP" in reply(desk, "?").text
    assert "<Message>" not in reply(desk, "help", OptOutType="HELP").text, "Twilio has answered"


def test_an_answer_leaves_as_an_sms_where_the_provider_takes_none(desk: Service) -> None:
    open_stores(desk, "Mo-Sa 08:00-19:30")
    anna, token = shopper(desk)
    offered(desk, token)
    desk.engine.deliver.drain()
    later(desk, minutes=1)
    stop_by(desk, "ovh", "STOP", PHONE)
    sid = new_id()
    for _ in range(2):
        ovh(desk, id=sid, senderid=PHONE, message="Horaires ?")
    desk.engine.deliver.drain()
    answer, offer = messages(desk, anna)
    assert (answer.body, answer.state) == ("Bakery port, Quai : ouvert jusqu'à 19:30.", "accepted")
    assert offer.campaign_id == "texts"
    wallet = desk.call("GET", "/v1/offers", token).json()["offers"]
    assert [one["offer_id"] for one in wallet] == ["warm"], "an answer is no offer"
    figures = desk.call("GET", "/v1/reports/offers?format=json", "analyst").text
    assert figures.count('"exposures":1') + figures.count('"exposures": 1') == 1


def test_an_answer_that_cannot_leave_at_night_would_be_none(desk: Service) -> None:
    open_stores(desk, "Mo-Sa 08:00-19:30")
    anna, _ = shopper(desk)
    later(desk, hours=13)
    ovh(desk, id=new_id(), senderid=PHONE, message="hours")
    desk.engine.deliver.drain()
    assert [row.state for row in messages(desk, anna)] == ["accepted"]


@pytest.mark.parametrize("text", ["merci", "", "👍", "stopover"])
def test_a_reply_that_asks_for_nothing_gets_no_answer(desk: Service, text: str) -> None:
    anna, _ = shopper(desk)
    answer = reply(desk, text)
    assert (answer.status_code, "<Message>" in answer.text) == (200, False)
    assert wants_sms(desk, anna)


def test_stop_from_what_is_no_number_is_taken_and_stops_nobody(desk: Service) -> None:
    anna, _ = shopper(desk)
    assert reply(desk, "STOP", phone="SHOP").status_code == 200
    assert wants_sms(desk, anna)
