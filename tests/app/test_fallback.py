"""Are the words of every channel made with the decision, each in its language and with its own text?"""

from __future__ import annotations

import json

import pytest

from campaigns.decision import decide
from campaigns.facts import Decision
from campaigns.model import Channel, Texts
from m2s.app.fallback import next_wording, wordings
from m2s.app.outbox import Wording
from m2s.app.rows import MessageRow
from tests.adapters.storage.samples import MESSAGE
from tests.app.town import Town, fix
from tests.campaigns.cases import CANDIDATE, NOW, OFFER, POLICY, SHOPPER
from tests.changed import replace

TEXTS = {
    Channel.PUSH: Texts(body={"fr": "Encore chaud : {value}"}, title={"fr": "Chaud"}),
    Channel.SMS: Texts(body={"en": "Warm: {value}, {code}. STOP {stop_number}"}),
    Channel.WEBHOOK: Texts(body={"fr": "{value} : {code}"}),
}
CAMPAIGN = """
campaign: c
name: C
stores: {{all: true}}
holdout: 0%
offers:
  - offer: o
    trigger: {{enter: premises}}
    channels: [{channels}]
    message:
      push: {{body: {{en: "Welcome"}}}}
      sms: {{en: "{{store_name}}: welcome. STOP {{stop_number}}"}}
"""


def decided(*channels: Channel, consents: frozenset[Channel] = frozenset(Channel)) -> Decision:
    offer = replace(OFFER, channels=channels, message=TEXTS)
    shopper = replace(SHOPPER, consents=consents, reachable=frozenset(Channel))
    [decision] = decide([replace(CANDIDATE, offer=offer)], shopper, now=NOW, policy=POLICY)
    return decision


def said(decision: Decision) -> list[tuple[str, str | None, str]]:
    found = wordings(decision, code="ABCD", stop_number="36111")
    return [(words.channel, words.title, words.body) for words in found]


def test_each_channel_says_the_same_in_its_own_words() -> None:
    assert said(decided(Channel.PUSH, Channel.SMS, Channel.WEBHOOK)) == [
        ("push", "Chaud", "Encore chaud : 1,00 €"),
        ("sms", None, "Warm: €1.00, ABCD. STOP 36111"),
        ("webhook", None, "1,00 € : ABCD"),
    ]


def test_channels_before_the_one_that_was_picked_are_no_way_on() -> None:
    picked = decided(
        Channel.PUSH, Channel.SMS, Channel.WEBHOOK, consents=frozenset({Channel.SMS, Channel.WEBHOOK})
    )
    assert [words[0] for words in said(picked)] == ["sms", "webhook"]


def test_a_message_walks_along_its_channels_to_the_end() -> None:
    first, second, third = wordings(
        decided(Channel.PUSH, Channel.SMS, Channel.WEBHOOK), code="ABCD", stop_number="36111"
    )
    assert next_wording(_said_by(first), frozenset(Channel)) == second
    assert next_wording(_said_by(second), frozenset(Channel)) == third
    assert next_wording(_said_by(first), {Channel.WEBHOOK}) == third
    assert next_wording(_said_by(third), frozenset(Channel)) is None
    assert next_wording(_said_by(first), {Channel.PUSH}) is None


def _said_by(words: Wording) -> MessageRow:
    return replace(
        MESSAGE, channel=words.channel, title=words.title, body=words.body, fallbacks=words.fallbacks
    )


@pytest.mark.parametrize("channels", ["push", "push, sms"])
def test_a_send_keeps_the_words_of_the_channels_after_its_own(town: Town, channels: str) -> None:
    town.furnish(CAMPAIGN.format(channels=channels))
    town.post(town.device("ann"), fix("s0"))
    ((kept,),) = town.rows("SELECT fallbacks FROM messages")
    later = [words["channel"] for words in json.loads(kept or "[]")]
    assert later == channels.split(", ")[1:]
