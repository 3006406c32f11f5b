"""Does a shopper read the right words: placeholders, language, and values that cannot spoil a text?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.facts import Candidate, Decision, Occasion, Outcome, Spent, StoreFacts
from campaigns.model import (
    Campaign,
    Channel,
    CouponTerms,
    Money,
    Near,
    Offer,
    StoreSelector,
    Texts,
    Transliterate,
)
from campaigns.texts import (
    PLACEHOLDERS,
    Placeholder,
    choose_language,
    coupon_expires_at,
    distance_text,
    message_texts,
    message_values,
    money_text,
    render,
    scan,
)
from tests.changed import replace

NOW = datetime(2026, 11, 2, 7, 45, tzinfo=UTC)
STORE = StoreFacts(
    store_id="bakery-1",
    name="Le Fournil",
    brand=None,
    address="3 rue Grimaldi",
    phone=None,
    timezone="Europe/Monaco",
    country="MC",
    subdivision=None,
    is_open=True,
    closes_at=datetime(2026, 11, 2, 18, 30, tzinfo=UTC),
    last_closing_at=datetime(2026, 11, 2, 18, 30, tzinfo=UTC),
)
OFFER = Offer(
    id="warm",
    trigger=Near("vicinity"),
    channels=(Channel.PUSH, Channel.SMS),
    message={
        Channel.PUSH: Texts(
            body={"fr": "-{value} à {distance}, jusqu'à {closes_at}", "en": "{value} off, {distance} away"},
            title={"fr": "Chaud !", "en": "Warm!"},
        ),
        Channel.SMS: Texts({"fr": "{brand}: code {code}. STOP {stop_number}"}),
    },
    coupon=CouponTerms(Money(Decimal("1.00"), "EUR"), None, timedelta(days=2)),
)
CAMPAIGN = Campaign("c", "C", None, None, None, StoreSelector(all=True), 0.1, timedelta(days=7), (OFFER,))
DECISION = Decision(
    candidate=Candidate(
        CAMPAIGN, OFFER, "v1", "salt", False, Occasion("k", "s", None, "near", NOW, False, 243.0), STORE
    ),
    outcome=Outcome.SEND,
    reason=None,
    channel=Channel.PUSH,
    language="fr",
    trace=(),
    arms={},
    decided_at=NOW,
    valid_until=NOW + timedelta(minutes=45),
)


def test_a_push_has_its_title_and_body_filled_in_the_language_of_the_shopper() -> None:
    french = message_values(DECISION, language="fr", code="AB12")
    assert message_texts(OFFER, Channel.PUSH, language="fr-FR", values=french) == (
        "Chaud !",
        "-1,00 € à 240 m, jusqu'à 19:30",
    )
    english = message_values(DECISION, language="en", code="AB12")
    assert message_texts(OFFER, Channel.PUSH, language="en", values=english) == (
        "Warm!",
        "€1.00 off, 240 m away",
    )


def test_an_sms_has_no_title_and_names_its_sender_code_and_stop_number() -> None:
    values = message_values(DECISION, language="fr", code="AB12", stop_number="36180")
    assert message_texts(OFFER, Channel.SMS, language="en", values=values) == (
        None,
        "Le Fournil: code AB12. STOP 36180",
    )


def of(decision: Decision, **coupon: object) -> Decision:
    """The decision with a coupon that differs in this."""
    assert OFFER.coupon is not None
    terms = replace(OFFER.coupon, **coupon)  # type: ignore[arg-type]
    return replace(decision, candidate=replace(decision.candidate, offer=replace(OFFER, coupon=terms)))


def test_the_end_of_a_coupon_is_its_own_and_not_that_of_the_message() -> None:
    assert message_values(DECISION, language="fr")["expires"] == "04/11 08:45"
    closing = of(DECISION, expires=None, expires_at_closing=True)
    assert coupon_expires_at(closing) == STORE.last_closing_at
    assert message_values(closing, language="fr")["expires"] == "19:30"
    unknown = replace(closing.candidate, store=replace(STORE, last_closing_at=None))
    assert coupon_expires_at(replace(closing, candidate=unknown)) == DECISION.valid_until
    no_coupon = replace(DECISION.candidate, offer=replace(OFFER, coupon=None))
    assert coupon_expires_at(replace(DECISION, candidate=no_coupon)) is None


def test_the_stock_is_what_was_left_with_the_shoppers_own() -> None:
    stocked = of(DECISION, stock=500)
    assert message_values(stocked, language="fr")["stock"] == "500"
    later = replace(stocked, candidate=replace(stocked.candidate, spent=Spent(stock=488)))
    assert message_values(later, language="fr")["stock"] == "12"


def test_an_sms_is_spelt_as_the_offer_says_with_what_fills_it_and_nothing_else_is() -> None:
    store = replace(STORE, brand="Forêt d’Or")
    decision = replace(DECISION, candidate=replace(DECISION.candidate, store=store))
    values = message_values(decision, language="fr", code="AB12", stop_number="36180")
    texts = {
        how: message_texts(replace(OFFER, transliterate=how), Channel.SMS, language="fr", values=values)[1]
        for how in Transliterate
    }
    assert [text.split(":")[0] for text in texts.values()] == ["Forêt d’Or", "Forêt d'Or", "Foret d'Or"]
    plain = replace(
        OFFER, transliterate=Transliterate.PLAIN, message={Channel.PUSH: Texts({"fr": "{brand}"})}
    )
    assert message_texts(plain, Channel.PUSH, language="fr", values=values)[1] == "Forêt d’Or"


def test_there_is_a_value_for_every_placeholder_even_where_nothing_is_known() -> None:
    bare = replace(STORE, address=None, closes_at=None)
    occasion = replace(DECISION.candidate.occasion, distance_m=None)
    candidate = replace(DECISION.candidate, store=bare, occasion=occasion, offer=replace(OFFER, coupon=None))
    values = message_values(replace(DECISION, candidate=candidate), language="fr")
    assert set(values) == set(PLACEHOLDERS)
    assert {name for name, value in values.items() if value} == {
        "store_name",
        "store_address",
        "brand",
        "valid_until",
    }


def test_times_are_those_of_the_store() -> None:
    away = replace(DECISION.candidate, store=replace(STORE, timezone="Indian/Reunion"))
    assert message_values(DECISION, language="fr")["valid_until"] == "09:30"
    assert message_values(replace(DECISION, candidate=away), language="fr")["valid_until"] == "12:30"


@pytest.mark.parametrize(
    ("language", "text"),
    [("fr", "03/11 18:00"), ("it", "03/11 18:00"), ("en", "3 Nov 18:00"), ("de", "2026-11-03 18:00")],
)
def test_an_end_on_another_day_has_its_date(language: str, text: str) -> None:
    tomorrow = replace(DECISION, valid_until=datetime(2026, 11, 3, 17, 0, tzinfo=UTC))
    assert message_values(tomorrow, language=language)["valid_until"] == text


def test_the_day_of_an_end_is_that_of_the_store() -> None:
    before_midnight = replace(DECISION, valid_until=datetime(2026, 11, 2, 22, 59, tzinfo=UTC))
    assert message_values(before_midnight, language="fr")["valid_until"] == "23:59"
    midnight = replace(DECISION, valid_until=datetime(2026, 11, 2, 23, 0, tzinfo=UTC))
    assert message_values(midnight, language="fr")["valid_until"] == "03/11 00:00"


@pytest.mark.parametrize(
    ("preferred", "fallback", "chosen"),
    [
        ("en", None, "en"),
        ("en-GB", None, "en"),
        ("EN_us", None, "en"),
        ("de", "en", "en"),
        ("de", None, "fr"),
        (None, None, "fr"),
        ("", "it", "fr"),
    ],
)
def test_the_language_is_the_preferred_one_else_the_fallback_else_the_first_written(
    preferred: str | None, fallback: str | None, chosen: str
) -> None:
    assert choose_language(Texts({"fr": "a", "en": "b"}), preferred, fallback=fallback) == chosen


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("{store_name} {{code}} {code}", []),
        ("{unknown}", [0]),
        ("ab {code.__class__} {code[0]}", [3, 20]),
        ("{code!r}{code:>10}{ code }{}", [0, 8, 18, 26]),
        ("a } b", [2]),
        ("a {code", [2]),
        ("{{{code}}}", []),
        ("{{code}", [6]),
        ("%s $code ${code}", []),
    ],
)
def test_a_brace_that_is_no_placeholder_is_told_by_its_place(text: str, columns: list[int]) -> None:
    assert [flaw.at for flaw in scan(text)[1]] == columns


def test_a_placeholder_that_is_nearly_right_is_suggested() -> None:
    (flaw,) = scan("{store-name}")[1]
    assert flaw.hint.startswith("did you mean store_name?")


def test_double_braces_are_braces() -> None:
    assert render("{{{code}}} {{}}", {"code": "X"}) == "{X} {}"
    assert scan("{{code}} {brand}")[0] == ["{", "code", "}", " ", Placeholder("brand", 9)]


def test_a_flawed_text_is_never_rendered() -> None:
    with pytest.raises(ValueError, match="not a placeholder"):
        render("{code.__class__}", {"code": "X"})


def test_values_are_inert_and_cannot_break_a_line() -> None:
    evil = "{code}\r\nBcc: \x00all\u2028\u202egnirts"
    assert render("{brand}!", {"brand": evil, "code": "SECRET"}) == "{code} Bcc: all gnirts!"


@given(st.text(st.one_of(st.sampled_from("{}ab"), st.characters()), max_size=60))
def test_any_text_is_rendered_whole_or_has_a_flaw(text: str) -> None:
    pieces, flaws = scan(text)
    assert all(0 <= flaw.at < len(text) and text[flaw.at] in "{}" for flaw in flaws)
    if not flaws and all(isinstance(piece, str) for piece in pieces):
        assert render(text, {}) == text.replace("{{", "{").replace("}}", "}")


@given(st.text(), st.sampled_from(PLACEHOLDERS))
def test_no_value_brings_control_characters_into_a_text(value: str, name: str) -> None:
    rendered = render(f"[{{{name}}}]", {name: value})
    assert rendered[0] == "["
    assert rendered[-1] == "]"
    assert len(rendered.splitlines()) == 1
    assert all(ord(character) >= 32 for character in rendered)
    assert rendered.encode("utf-8")


@given(st.text(st.characters(exclude_characters="{}"), max_size=40))
def test_braces_written_twice_give_back_any_text(text: str) -> None:
    wild = "{" + text + "}"
    assert render(wild.replace("{", "{{").replace("}", "}}"), {}) == wild


@pytest.mark.parametrize(
    ("amount", "currency", "language", "text"),
    [
        ("1.00", "EUR", "fr", "1,00 €"),
        ("1.00", "EUR", "en", "€1.00"),
        ("12.50", "CHF", "de", "12,50 CHF"),
        ("12.50", "CHF", "en", "CHF 12.50"),
    ],
)
def test_money_is_written_as_the_language_writes_it(
    amount: str, currency: str, language: str, text: str
) -> None:
    assert money_text(Money(Decimal(amount), currency), language) == text


@pytest.mark.parametrize(
    ("distance_m", "language", "text"),
    [
        (0.0, "fr", "10 m"),
        (243.0, "fr", "240 m"),
        (994.9, "en", "990 m"),
        (996.0, "en", "1.0 km"),
        (1234.0, "fr", "1,2 km"),
    ],
)
def test_a_distance_is_round_and_short(distance_m: float, language: str, text: str) -> None:
    assert distance_text(distance_m, language) == text
