"""What do the texts of an offer say, by channel and language, and can every placeholder in them be filled?"""

from collections.abc import Mapping
from dataclasses import dataclass

from campaigns import reader_keys as keys
from campaigns import values
from campaigns.longest import longest
from campaigns.model import (
    PREMISES,
    Channel,
    CouponTerms,
    Crossing,
    Dwell,
    Enter,
    Exit,
    Near,
    Research,
    Texts,
    Transliterate,
    Trigger,
)
from campaigns.problems import Report, shown
from campaigns.reader_fields import Fields, Reading
from campaigns.reader_nodes import MappingNode, Node, ScalarNode
from campaigns.sms import strange_signs
from campaigns.smslaw import text_flaws
from campaigns.terms import in_words, missing
from campaigns.texts import Placeholder, scan


@dataclass(frozen=True, slots=True)
class Terms:
    """What of an offer decides what its texts can and must say; `trigger` and `coupon` are None where they are wrong.

    `named` are the keys under coupon, None where there is none; `sms_parts` is how many parts an SMS may have.
    """

    trigger: Trigger | None
    open: bool
    coupon: CouponTerms | None
    named: frozenset[str] | None
    transliterate: Transliterate
    sms_parts: int


def read_message(
    fields: Fields, channels: list[tuple[Channel, int]], *, terms: Terms
) -> dict[Channel, Texts]:
    """The texts of an offer by channel; every channel of the offer (with its place) must have one."""
    section = fields.part(keys.MESSAGE)
    if section is None:
        return {}
    found = {channel: _texts(section, channel, terms=terms) for channel in Channel if section.node(channel)}
    for channel, at in channels:
        if channel not in found:
            detail = f"the channel {channel} has no text under message"
            fields.reading.report.add(
                at, "channel_without_text", detail=detail, hint=f"add {channel}: to message"
            )
    read = {channel: texts for channel, texts in found.items() if texts is not None}
    if terms.coupon is not None:
        _check_terms(fields.reading.report, read, terms.coupon)
    return {channel: texts.texts() for channel, texts in read.items()}


def _texts(section: Fields, channel: Channel, *, terms: Terms) -> "_Found | None":
    """One channel's texts; a part that is wrong leaves a problem, and then nothing here is used."""
    reader = _Reader(section.reading, channel, terms)
    if channel is not Channel.PUSH:
        words = reader.localized(section, channel, longest=keys.LONGEST_TEXT)
        return _Found(words) if words else None
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
    push = section.part(keys.PUSH)
    if push is None:
        return None
    title = reader.localized(push, "title", longest=keys.LONGEST_TITLE)
    body = reader.localized(push, "body", longest=keys.LONGEST_TEXT) if push.present("body") else None
    if title and body and set(title) != set(body):
        odd = ", ".join(sorted(set(title) ^ set(body)))
        push.problem("title", "languages_differ", detail=f"title and body differ in languages: {odd}")
    return _Found(body, title) if body else None


_Said = dict[str, tuple[str, Node]]
"""Texts by language, each with its place."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The texts of one channel."""

    body: _Said
    title: _Said | None = None

    def texts(self) -> Texts:
        """As the model has them."""
        return Texts(_said(self.body), _said(self.title) if self.title else None)

    def whole(self, language: str) -> str:
        """All that a shopper reads in one language."""
        title = self.title or {}
        return "\n".join(part[language][0] for part in (title, self.body) if language in part)


def _said(found: _Said) -> dict[str, str]:
    return {language: text for language, (text, _) in found.items()}


def _check_terms(report: Report, found: Mapping[Channel, _Found], coupon: CouponTerms) -> None:
    """Every text says the terms of the coupon that the others say."""
    texts = {(channel, language): it.whole(language) for channel, it in found.items() for language in it.body}
    for (channel, language), terms in missing(texts, coupon).items():
        for term in terms:
            detail = f"{channel} in {language} does not say {in_words(term, coupon)}"
            hint = f"all texts of an offer say the same terms: add {{{term}}}"
            report.add(found[channel].body[language][1].at, "terms_missing", detail=detail, hint=hint)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the texts of one channel of one offer."""

    reading: Reading
    channel: Channel
    terms: Terms

    def localized(self, fields: Fields, key: str, *, longest: int) -> _Said | None:
        """The texts by language under a key, in the order written; None where one is wrong or all absent."""
        node = fields.node(key)
        if not isinstance(node, MappingNode) or not node.entries:
            if node is not None and not self.reading.report.has(node.at):
                hint = 'a text for each language, as in {fr: "…", en: "…"}'
                fields.problem(key, "wrong_type", detail=f"{key} is written by language", hint=hint)
            return None
        texts: _Said = {}
        for key_node, value in node.entries.values():
            language = self.reading.parse(key_node, values.language, word=True)
            text = self.reading.parse(value, values.words(longest), word=True)
            if text is not None:
                self._check(text, value, language)
            if language is not None and text is not None:
                texts[language] = (text, value)
        return texts if len(texts) == len(node.entries) else None

    def _check(self, text: str, node: Node, language: str | None) -> None:
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
            for broken in text_flaws(text, self.reading.sms):
                report.add(node.at, broken.code, detail=broken.detail, hint=broken.hint)
            if not flaws and language is not None:
                self._check_length(text, language, node=node)

    def _check_length(self, text: str, language: str, *, node: Node) -> None:
        """The text at its longest has no more parts than the offer allows."""
        terms = self.terms
        found = longest(
            text,
            self.reading.stores,
            coupon=terms.coupon,
            language=language,
            transliterate=terms.transliterate,
        )
        if found.length.parts <= terms.sms_parts:
            return
        where = f" at {shown(found.store_name)}" if found.store_name else ""
        detail = (
            f"this SMS can become {found.length.units} signs of {found.length.encoding}{where}, "
            f"sent in {found.length.parts} parts; the limit is {terms.sms_parts}"
        )
        strange = sorted(strange_signs(text))[:8]
        hint = "shorten it, or raise limits: {sms_parts: …}"
        if strange and found.length.encoding == "UCS-2":
            hint = f"{' '.join(strange)} halve the room: write others, or add transliterate: smart; or {hint}"
        self.reading.report.add(node.at, "sms_too_long", detail=detail, hint=hint)


def _unfilled(name: str, channel: Channel, *, terms: Terms) -> str | None:
    """Why a placeholder cannot be filled in this offer; None when it can."""
    if name in ("code", "value", "expires") and terms.named is None:
        return "it needs a coupon"
    if name in ("min_basket", "stock") and name not in (terms.named or ()):
        return f"it needs a coupon with {name}"
    if name == "closes_at" and not terms.open:
        return "it needs when: {open: true}, else the closing time may be unknown"
    if name == "distance" and terms.trigger is not None and not _on_the_way(terms.trigger):
        return (
            "it needs a trigger that finds the shopper on her way: near, crossing, research, or a zone around"
        )
    if name == "stop_number" and channel is not Channel.SMS:
        return "it belongs to sms"
    return None


def _on_the_way(trigger: Trigger) -> bool:
    """Whether it is known how far the shopper has to go: who is in the store has arrived."""
    if isinstance(trigger, Near | Enter | Exit | Crossing | Dwell):
        return trigger.zone != PREMISES
    return isinstance(trigger, Research)


def _place(report: Report, node: Node, offset: int) -> int:
    """The place of a character of a text; the text's beginning when it is folded, escaped or indented."""
    text = node.text if isinstance(node, ScalarNode) else ""
    quoted = 0 if isinstance(node, ScalarNode) and node.plain else 1
    begins = node.at + quoted
    return begins + offset if report.text.startswith(text, begins) else node.at
