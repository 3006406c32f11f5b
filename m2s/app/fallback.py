"""By which channel does a message go when one has refused it? The offer's next one that the shopper accepts.

The words of every later channel are made with the decision, so that they say what it saw; which of them may be used is
asked when it comes to that.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from campaigns.facts import Decision
from campaigns.model import Channel
from campaigns.texts import choose_language, message_texts, message_values
from m2s.app.outbox import Wording
from m2s.app.rows import MessageRow


def wordings(decision: Decision, *, code: str | None, stop_number: str) -> list[Wording]:
    """The words of a send by its channel and by each of the offer's channels after it.

    The fallbacks of each are the words of those after it.
    """
    assert decision.channel is not None  # noqa: S101  a send has a channel and a language
    assert decision.language is not None  # noqa: S101
    offer = decision.candidate.offer
    found: list[Wording] = []
    values: dict[str, Mapping[str, str]] = {}
    for channel in reversed(offer.channels[offer.channels.index(decision.channel) :]):
        language = choose_language(offer.message[channel], decision.language)
        if language not in values:
            values[language] = message_values(decision, language=language, code=code, stop_number=stop_number)
        title, body = message_texts(offer, channel, language=language, values=values[language])
        found.append(Wording(channel.value, title, body, _text(found)))
    return found[::-1]


def next_wording(message: MessageRow, usable: Collection[Channel]) -> Wording | None:
    """The message's words by the first of its later channels that is usable; None where there is none."""
    later: list[dict[str, Any]] = json.loads(message.fallbacks or "[]")
    for place, words in enumerate(later):
        if words["channel"] in usable:
            after = later[place + 1 :]
            return Wording(**words, fallbacks=json.dumps(after, ensure_ascii=False) if after else None)
    return None


def _text(found: list[Wording]) -> str | None:
    """Wordings, last channel first, as they are kept."""
    if not found:
        return None
    kept = [{"channel": it.channel, "title": it.title, "body": it.body} for it in reversed(found)]
    return json.dumps(kept, ensure_ascii=False)
