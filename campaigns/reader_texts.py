"""What do the texts of an offer say, by channel and language, and can every placeholder in them be filled?"""

from dataclasses import dataclass
from re import compile as pattern

from campaigns import values
from campaigns.model import Channel, Near, Texts, Trigger
from campaigns.problems import Report, shown
from campaigns.reader_fields import Fields, Reading
from campaigns.reader_nodes import MappingNode, Node, ScalarNode
from campaigns.texts import Placeholder, scan

LONGEST_TITLE = 200
LONGEST_TEXT = 1_000

_STOP = pattern(r"\bSTOP\b")


@dataclass(frozen=True, slots=True)
class Terms:
    """What of an offer decides which placeholders can be filled; `trigger` is None where it is wrong."""

    trigger: Trigger | None
    open: bool
    coupon: bool
    min_basket: bool


def read_message(
    fields: Fields, channels: list[tuple[Channel, int]], *, terms: Terms
) -> dict[Channel, Texts]:
    """The texts of an offer by channel; every channel of the offer (with its place) must have one."""
    if not fields.present("message"):
        return {}
    section = fields.section("message", what="message", allowed=tuple(Channel))
    if section is None:
        return {}
    found = {channel: _texts(section, channel, terms=terms) for channel in Channel if section.node(channel)}
    for channel, at in channels:
        if channel not in found:
            detail = f"the channel {channel} has no text under message"
            fields.reading.report.add(
                at, "channel_without_text", detail=detail, hint=f"add {channel}: to message"
            )
    return {channel: texts for channel, texts in found.items() if texts is not None}


def _texts(section: Fields, channel: Channel, *, terms: Terms) -> Texts | None:
    """One channel's texts; a part that is wrong leaves a problem, and then nothing here is used."""
    reader = _Reader(section.reading, channel, terms)
    if channel is not Channel.PUSH:
        words = reader.localized(section, channel, longest=LONGEST_TEXT)
        return Texts(words) if words else None
    node = section.node(channel)
    if (
        isinstance(node, MappingNode)
        and "body" not in node.entries
        and node.entries.keys() & values.LANGUAGES
    ):
        language = next(key for key in node.entries if key in values.LANGUAGES)
        place = node.entries[language][0].at
        hint = f"put the texts under body, as in {channel}: {{body: {{{language}: …}}}}"
        section.reading.report.add(place, "wrong_type", detail="the texts stand outside of body", hint=hint)
        return None
    push = section.section(channel, what=channel, allowed=("title", "body"))
    if push is None:
        return None
    title = reader.localized(push, "title", longest=LONGEST_TITLE)
    body = reader.localized(push, "body", longest=LONGEST_TEXT) if push.present("body") else None
    if title and body and set(title) != set(body):
        odd = ", ".join(sorted(set(title) ^ set(body)))
        push.problem("title", "languages_differ", detail=f"title and body differ in languages: {odd}")
    return Texts(body, title) if body else None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the texts of one channel of one offer."""

    reading: Reading
    channel: Channel
    terms: Terms

    def localized(self, fields: Fields, key: str, *, longest: int) -> dict[str, str] | None:
        """The texts by language under a key, in the order written; None where one is wrong or all absent."""
        node = fields.node(key)
        if not isinstance(node, MappingNode) or not node.entries:
            if node is not None and not self.reading.report.has(node.at):
                hint = 'a text for each language, as in {fr: "…", en: "…"}'
                fields.problem(key, "wrong_type", detail=f"{key} is written by language", hint=hint)
            return None
        texts: dict[str, str] = {}
        for key_node, value in node.entries.values():
            language = self.reading.parse(key_node, values.language, word=True)
            text = self.reading.parse(value, values.words(longest), word=True)
            if text is not None:
                self._check(text, value)
            if language is not None and text is not None:
                texts[language] = text
        return texts if len(texts) == len(node.entries) else None

    def _check(self, text: str, node: Node) -> None:
        report = self.reading.report
        pieces, flaws = scan(text)
        for flaw in flaws:
            report.add(_place(report, node, flaw.at), "placeholder", detail=flaw.detail, hint=flaw.hint)
        found = [piece for piece in pieces if isinstance(piece, Placeholder)]
        for placeholder in found:
            if reason := _unfilled(placeholder.name, self.channel, terms=self.terms):
                detail = f"{shown('{' + placeholder.name + '}')} cannot be filled here"
                report.add(_place(report, node, placeholder.at), "unfilled", detail=detail, hint=reason)
        if self.channel is Channel.SMS:
            self._check_sms(text, {placeholder.name for placeholder in found}, node=node)

    def _check_sms(self, text: str, names: set[str], *, node: Node) -> None:
        report = self.reading.report
        if "stop_number" not in names and not _STOP.search(text):
            detail = "a marketing SMS must say how to stop"
            report.add(node.at, "sms_without_stop", detail=detail, hint="add STOP {stop_number}")
        if not names & {"brand", "store_name"}:
            detail = "a marketing SMS must name who sends it"
            report.add(
                node.at, "sms_without_sender", detail=detail, hint="begin with {brand} or {store_name}"
            )


def _unfilled(name: str, channel: Channel, *, terms: Terms) -> str | None:
    """Why a placeholder cannot be filled in this offer; None when it can."""
    if name in ("code", "value") and not terms.coupon:
        return "it needs a coupon"
    if name == "min_basket" and not terms.min_basket:
        return "it needs a coupon with min_basket"
    if name == "closes_at" and not terms.open:
        return "it needs when: {open: true}, else the closing time may be unknown"
    if name == "distance" and terms.trigger is not None and not isinstance(terms.trigger, Near):
        return "it needs the trigger near"
    if name == "stop_number" and channel is not Channel.SMS:
        return "it belongs to sms"
    return None


def _place(report: Report, node: Node, offset: int) -> int:
    """The place of a character of a text; the text's beginning when it is folded, escaped or indented."""
    text = node.text if isinstance(node, ScalarNode) else ""
    quoted = 0 if isinstance(node, ScalarNode) and node.plain else 1
    begins = node.at + quoted
    return begins + offset if report.text.startswith(text, begins) else node.at
