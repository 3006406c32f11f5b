from __future__ import annotations

import pytest

from campaigns.laws import Profile, profile
from campaigns.problems import CampaignProblems
from campaigns.reader import read_campaign
from campaigns.smslaw import SmsRules, sender_flaw, text_flaws

STRICT, TCPA, PECR = profile("fr-strict"), profile("us-tcpa"), profile("uk-pecr")


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("{brand}: croissant a -1 EUR. STOP {stop_number}", []),
        ("{store_name}: -20%. STOP au 36180", []),
        ("{store_name}: -20%. STOP 36180", []),
        ("{store_name}: -20%, code {code}", ["sms_without_stop"]),
        ("{store_name}: nonSTOP", ["sms_without_stop"]),
        ("-20%. STOP {stop_number}", ["sms_without_sender"]),
        ("-20%", ["sms_without_stop", "sms_without_sender"]),
        ("{brand}: reply STOP", ["sms_stop_without_number"]),
        ("{brand}: 24 rue Foch. STOP", ["sms_stop_without_number"]),
        ("{brand}: -20%. STOP au 38123", ["sms_stop_number"]),
        ("{brand}: -20%. STOP 0612345678", ["sms_stop_number"]),
    ],
)
def test_a_french_sms_names_its_sender_and_the_number_to_say_stop_to(text: str, codes: list[str]) -> None:
    assert [flaw.code for flaw in text_flaws(text, SmsRules(STRICT))] == codes


@pytest.mark.parametrize(("law", "sender"), [(TCPA, None), (PECR, None), (STRICT, "36123")])
def test_stop_alone_is_enough_where_one_answers_or_the_law_names_no_number(
    law: Profile, sender: str | None
) -> None:
    rules = SmsRules(law, sender)
    assert list(text_flaws("{brand}: reply STOP", rules)) == []
    assert [flaw.code for flaw in text_flaws("{brand}: bye", rules)] == ["sms_without_stop"]


def test_without_rules_only_what_every_law_asks_is_asked() -> None:
    assert list(text_flaws("{brand}: reply STOP", None)) == []
    assert [flaw.code for flaw in text_flaws("bye", None)] == ["sms_without_stop", "sms_without_sender"]


@pytest.mark.parametrize(
    ("sender", "french", "american"),
    [
        ("Le Fournil", True, False),
        ("FOURNIL75", True, False),
        ("36123", True, True),
        ("38123", False, True),
        ("+33937001234", True, True),
        ("+33612345678", False, True),
        ("+33 7 12 34 56 78", False, False),
        ("0612345678", False, False),
        ("Le Fournil du Port", False, False),
        ("AB", False, False),
        ("1234567", False, False),
        ("Fournil!", False, False),
        ("", False, False),
    ],
)
def test_marketing_comes_from_a_name_or_a_number_that_may_send_it(
    sender: str, french: bool, american: bool
) -> None:
    assert (sender_flaw(sender, STRICT) is None, sender_flaw(sender, TCPA) is None) == (french, american)


YAML = """\
campaign: spring
name: Spring
stores: {all: true}
offers:
  - offer: shoes
    trigger: {near: vicinity}
    channels: [sms]
    message:
      sms:
        fr: "{brand}: nocturne ce jeudi. STOP 36180"
        en: "{brand}: open late on Thursday. Reply STOP"
"""


def test_a_file_is_held_against_the_law_of_the_house_where_it_is_asked() -> None:
    assert read_campaign(YAML).id == "spring"
    assert read_campaign(YAML, sms=SmsRules(STRICT, "36123")).id == "spring"
    assert read_campaign(YAML, sms=SmsRules(TCPA, "+12025550123")).id == "spring"
    with pytest.raises(CampaignProblems) as refused:
        read_campaign(YAML, "spring.yaml", sms=SmsRules(STRICT, "Le Fournil"))
    [problem] = refused.value.problems
    assert (problem.line, problem.column, problem.code) == (11, 13, "sms_stop_without_number")
