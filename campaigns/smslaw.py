"""What must a marketing SMS say, and from whom may it come? The text and the sender, by a country's rules."""

from collections.abc import Iterator
from dataclasses import dataclass
from re import compile as pattern

from campaigns.laws import Profile
from campaigns.texts import Placeholder, scan

_STOP = pattern(r"\bSTOP\b")
_STOP_TO_NUMBER = pattern(r"\bSTOP\b[^0-9{]{0,12}([0-9]{3,})")
_NAME = pattern(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{3,11}")
_SHORT_NUMBER = pattern(r"[0-9]{3,6}")
_LONG_NUMBER = pattern(r"\+[0-9]{7,15}")
# Numbers for calls between people (06, 07) carry no marketing since 2023 (decision 2022-1583); of the short numbers
# 36xxx are for marketing and 38xxx for messages about orders (af2m.org/sms-marketing).
_FRENCH_MOBILE = pattern(r"(?:\+33|0033|0)[67][0-9]{8}")
_FRENCH_TRANSACTIONAL = "38"


@dataclass(frozen=True, slots=True)
class SmsRules:
    """The law of the house, and from whom its SMS come; None is not known, and taken for a name."""

    law: Profile
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class LawFlaw:
    """One thing that the law does not let through: a stable code, what was found, and what would be right."""

    code: str
    detail: str
    hint: str


def text_flaws(text: str, rules: SmsRules | None) -> Iterator[LawFlaw]:
    """What the law does not let through of one SMS text; without rules, what no law does."""
    names = {piece.name for piece in scan(text)[0] if isinstance(piece, Placeholder)}
    if "stop_number" not in names and not _STOP.search(text):
        yield LawFlaw("sms_without_stop", "a marketing SMS must say how to stop", "add STOP {stop_number}")
    elif "stop_number" not in names and rules is not None and (flaw := _stop_flaw(text, rules)):
        yield flaw
    if not names & {"brand", "store_name"}:
        yield LawFlaw(
            "sms_without_sender",
            "a marketing SMS must name who sends it",
            "begin with {brand} or {store_name}",
        )


def _stop_flaw(text: str, rules: SmsRules) -> LawFlaw | None:
    """What is wrong with a STOP that is written out: a name cannot be answered."""
    prefix, answered = rules.law.stop_prefix, rules.sender is not None and not _NAME.fullmatch(rules.sender)
    if prefix is None or answered:
        return None
    number = _STOP_TO_NUMBER.search(text)
    if number is None:
        detail = "a sender that is a name cannot be answered: STOP must say to which number"
        return LawFlaw("sms_stop_without_number", detail, "write STOP {stop_number}")
    if number[1].startswith(prefix):
        return None
    detail = f"STOP goes to {number[1]}, which is no number for marketing in {rules.law.name}"
    return LawFlaw("sms_stop_number", detail, f"a number that begins with {prefix}")


def sender_flaw(sender: str, law: Profile) -> LawFlaw | None:
    """What the law does not let through of a sender of marketing SMS: a name, a short number or a long one."""
    hint = "3 to 11 letters and digits with a letter among them, such as Le Fournil, or a short number"
    if _FRENCH_MOBILE.fullmatch(sender.replace(" ", "")) and law.stop_prefix:
        detail = f"{sender} is a number for calls between people, from which no marketing may come"
        return LawFlaw("sms_sender", detail, hint)
    if _SHORT_NUMBER.fullmatch(sender):
        if law.stop_prefix and sender.startswith(_FRENCH_TRANSACTIONAL):
            detail = f"{sender} is a number for messages about orders and the like, not for marketing"
            return LawFlaw("sms_sender", detail, f"a number that begins with {law.stop_prefix}")
        return None
    if _LONG_NUMBER.fullmatch(sender):
        return None
    if not _NAME.fullmatch(sender):
        return LawFlaw("sms_sender", f"{sender!r} is no sender of an SMS", hint)
    if not law.named_senders:
        detail = f"{sender!r} is a name: {law.name} asks for a number that can be answered with STOP"
        return LawFlaw(
            "sms_sender", detail, "a short number, or a long one with its country, such as +12025550123"
        )
    return None
