from __future__ import annotations

import json

import pytest
from msgspec.structs import asdict

from campaigns.decision import decide
from campaigns.eligibility import CHECKS
from campaigns.explain import Fate, explain, sentence
from campaigns.facts import Check, PastOffer
from m2s.core.delivery.message import State
from tests.campaigns.cases import ASKING, CAMPAIGN, CANDIDATE, NOW, POLICY, SHOPPER
from tests.changed import replace


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (
            Check("pressure", False, 1, "1 per 1d"),
            "The shopper had 1 message in the last 24 hours; the limit is 1 per 1 day.",
        ),
        (
            Check("pressure", True, 2, "6 per 30d"),
            "The shopper had 2 messages in the last 30 days; the limit is 6 per 30 days.",
        ),
        (
            Check("pressure", True, 0, None),
            "The shopper had 0 messages before; there is no limit across campaigns.",
        ),
        (
            Check("per_shopper", False, 1, "1 per 90m"),
            "The shopper had had this offer 1 time in the last 90 minutes; the limit is 1 per 90 minutes.",
        ),
        (
            Check("per_shopper", True, 2, None),
            "The shopper had had this offer 2 times before; it sets no limit per shopper.",
        ),
        (
            Check("deferred", True, "sun 2026-11-08 10:00 Europe/Paris", "mon 2026-11-09 08:30 Europe/Paris"),
            "It was due on sun 2026-11-08 10:00 Europe/Paris and waits for the law, which lets messages go from "
            "mon 2026-11-09 08:30 Europe/Paris on: up to half an hour after that, so that not all leave at once.",
        ),
        (Check("offer_active", False, "paused", "running"), "The campaign was paused."),
        (
            Check("offer_active", False, "tue 2026-11-03 09:00 Europe/Paris", "mon, sat 08:30-10:30"),
            "It was tue 2026-11-03 09:00 Europe/Paris; the offer runs only mon, sat 08:30-10:30.",
        ),
        (
            Check("fresh", False, 332, 300),
            "The occasion was 5 minutes 32 seconds old; the limit is 5 minutes, so it came too late.",
        ),
        (Check("fresh", True, -20, 300), "The occasion was 0 seconds old; the limit is 5 minutes."),
        (
            Check("store_open", False, "unknown", 1200),
            "The store's opening hours are not known; the offer asks for an open store for at least "
            "another 20 minutes.",
        ),
        (Check("store_open", False, "closed", 0), "The store was closed; the offer asks for an open store."),
        (
            Check("store_open", True, 36000, None),
            "The store was open for another 10 hours; the offer does not ask.",
        ),
        (
            Check("open_on_arrival", True, 720, 600),
            "When the shopper can be there the store is open for another 12 minutes; the offer asks for a store "
            "that is open then for at least 10 minutes.",
        ),
        (
            Check("open_on_arrival", False, -90, 0),
            "When the shopper can be there the store is open no more: it closes 1 minute 30 seconds before; "
            "the offer asks for a store that is open then.",
        ),
        (
            Check("open_on_arrival", False, "closed", 0),
            "The store is closed when the shopper can be there; the offer asks for a store that is open then.",
        ),
        (
            Check("holidays", False, "Armistice Day", "skip"),
            "The day was a public holiday there (Armistice Day); the offer is not made on public holidays.",
        ),
        (
            Check("holidays", False, "no holiday", "only"),
            "The day was no public holiday; the offer is made on public holidays only.",
        ),
        (
            Check("consent", False, "location", "location and push or sms"),
            "The shopper's consents in force: location; the offer needs location and push or sms.",
        ),
        (
            Check("channel", True, "sms", "push, sms"),
            "The shopper can be reached by sms; the offer names push, sms.",
        ),
        (
            Check("channel", False, "none", "push"),
            "The shopper cannot be reached by any channel that she agreed to; the offer names push.",
        ),
        (
            Check("not_inside", False, 600, 3600),
            "The shopper had left the store 10 minutes before; the offer is for shoppers who are outside "
            "and have been for at least 1 hour.",
        ),
        (
            Check("not_inside", True, "inside", None),
            "The shopper was inside the store; for this kind of offer it makes no difference.",
        ),
        (
            Check("send_law", False, "tue 2026-11-03 20:00 Europe/Paris", "fr-strict: mon-sat 08:30-20:00"),
            "Where the shopper is it was tue 2026-11-03 20:00 Europe/Paris; a message is not allowed then "
            "(fr-strict: mon-sat 08:30-20:00).",
        ),
        (Check("arbitration", False, "a", "b"), "Another offer came first: b before a."),
        (
            Check("holdout", False, 82, 1000),
            "Holdout of this campaign: the shopper is held out; her number is 82 of 0 to 9999, and those below "
            "1000 are held out.",
        ),
        (
            Check("universal_holdout", True, "treatment", "recorded earlier"),
            "Holdout across all campaigns: the shopper is not held out; the group recorded at the first "
            "decision stays (treatment).",
        ),
        (
            Check("valid", False, "2026-11-03T09:00:00Z", "2026-11-03T08:45:00Z"),
            "It was 2026-11-03T09:00:00Z; the message was valid until 2026-11-03T08:45:00Z.",
        ),
        (Check("weather", False, 0, 1), "weather: failed; saw 0, limit 1."),
    ],
)
def test_a_sentence_tells_the_value_seen_and_the_limit(check: Check, text: str) -> None:
    assert sentence(check) == text
    assert sentence(json.loads(json.dumps(asdict(check)))) == text


def test_every_check_has_a_sentence_of_its_own() -> None:
    shopper = replace(SHOPPER, staff_at=frozenset({"elsewhere"}))
    [decision] = decide([ASKING], shopper, now=NOW, policy=replace(POLICY, universal_holdout=0.0001))
    told = [sentence(check) for check in decision.trace]
    assert len(decision.trace) > len(CHECKS)
    assert not [text for text, check in zip(told, decision.trace, strict=True) if text.startswith(check.name)]


def test_a_decision_is_told_alike_live_and_from_its_stored_form() -> None:
    shopper = replace(SHOPPER, past=(PastOffer(NOW, "other", "other"),))
    [decision] = decide([CANDIDATE], shopper, now=NOW, policy=POLICY)
    stored = {
        "outcome": decision.outcome,
        "channel": decision.channel,
        "trace": [asdict(check) for check in decision.trace],
    }
    told = explain(decision)
    assert told == explain(json.loads(json.dumps(stored)))
    assert told[0] == "No message was sent."
    assert told[-1] == "The shopper had 1 message in the last 24 hours; the limit is 1 per 1 day."


@pytest.mark.parametrize(
    ("fate", "text"),
    [
        (None, "A message was to be sent by push."),
        (Fate("planned", None), "A message was planned by push and waits to be sent."),
        (Fate("accepted", None), "A message was sent by push."),
        (
            Fate("cancelled", "consent"),
            "A message was planned by push, and not sent: at the second look the consent had been withdrawn.",
        ),
        (
            Fate("cancelled", "weather"),
            "A message was planned by push, and not sent: at the second look it was held back (weather).",
        ),
        (
            Fate("refused", "gone"),
            "A message was planned by push, and not sent: the receiver refused it (gone).",
        ),
        (
            Fate("refused", "stale_token"),
            "A message was planned by push, and not sent: the phone had not registered its push token for more than "
            "30 days.",
        ),
        (
            Fate("expired", "valid_until"),
            "A message was planned by push, and not sent: it did not leave while it was valid.",
        ),
        (
            Fate("unknown", "lease ended"),
            "A message was planned by push, and nobody knows whether it was sent: no clear answer came.",
        ),
        (
            Fate("unknown_final", "no answer"),
            "A message was planned by push, and nobody will ever know whether it was sent: no clear answer came.",
        ),
        (
            Fate("dead_letter", "retries"),
            "A message was planned by push, and kept as a dead letter instead of sent: "
            "it failed too often while others got through.",
        ),
        (
            Fate("dead_letter", "too_large"),
            "A message was planned by push, and kept as a dead letter instead of sent: "
            "the provider cannot take it (too_large).",
        ),
        (
            Fate("delivered", None, "sms"),
            "A message was sent by sms, and delivered, as its carrier says. "
            "It was planned by push first, which refused it.",
        ),
    ],
)
def test_a_send_says_what_became_of_its_message(fate: Fate | None, text: str) -> None:
    [decision] = decide([CANDIDATE], SHOPPER, now=NOW, policy=POLICY)
    assert explain(decision, fate)[0] == text


def test_every_state_of_a_message_has_its_sentence() -> None:
    [decision] = decide([CANDIDATE], SHOPPER, now=NOW, policy=POLICY)
    told = {explain(decision, Fate(state, None))[0] for state in State}
    assert len(told) == len(State)


def test_a_ghost_says_what_would_have_been_sent() -> None:
    held_out = replace(CANDIDATE, campaign=replace(CAMPAIGN, holdout=1.0))
    [decision] = decide([held_out], SHOPPER, now=NOW, policy=POLICY)
    assert explain(decision)[0].endswith("Without that it would have gone out by push.")
