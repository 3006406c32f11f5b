"""What does somebody want who answers an SMS? STOP, START, HELP or HOURS, in French and English, with their slips.

Where it may be STOP, it is STOP: who was wrongly taken off writes START, and who was wrongly kept is written to against
her will. So STOP counts wherever it stands in a text, and START only where it is all of it.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Word(StrEnum):
    """What is asked for."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    HOURS = "hours"


@dataclass(frozen=True, slots=True)
class Wish:
    """A word, and the language that it was written in; None where it is the same in both."""

    word: Word
    language: str | None = None


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_LONGEST = 2_000
_TOKEN = re.compile(r"[a-z0-9]+|\?")
_SPELT = re.compile(r"\b(?:[a-z][ .\-]){3,}[a-z]\b")
_BETWEEN = re.compile(r"[ .\-]")
_APOSTROPHE = re.compile("['\u2019]")

_STOP = re.compile(
    r"s+t+[o0]+p+(?:e[rsz]?|pe|ped|ping|all|sms|pub|svp|\d+)?|ar+et+e?[rsz]?|"
    r"des+ins?cri\w*|des+abon+e\w*|uns+u[bs]+cri\w*|optout|resili\w*"
)
_STOP_SLIPS = _set("sotp stpo stip styop stoip sto0p st9p ztop stopo")
"""With the pattern: what is STOP wherever it stands."""
_STOP_ALONE = _set(
    "sto stp tsop srop syop dtop atop stoo stol stiop"
    " end quit cancel revoke annuler annulation remove unsub off"
)
"""What is STOP where nothing else of weight stands beside it."""
_STOP_SAYINGS = (
    *("plus de sms", "plus de pub", "plus de pubs", "plus de message", "plus de messages", "plus de texto"),
    *("plus recevoir", "envoyez plus", "envoie plus", "envoyer plus", "contactez plus", "ecrivez plus"),
    *("opt out", "no more", "remove me", "take me off", "leave me alone", "laissez moi", "retirez moi"),
    *("do not text", "do not send", "do not contact", "don t text", "don t send", "don t contact"),
    *(
        "supprimez mon",
        "supprimer mon",
        "effacez mon",
        "enlevez mon",
        "retirez mon",
        "remove my",
        "delete my",
    ),
    *("enlevez moi", "enlever moi", "st op", "sto p", "s top"),
)
_STOP_BY = ("stop by", "stop in")
_NOT_STOP = (
    *("non stop", "bus stop"),
    *("arret de bus", "arret du bus", "arret de tram", "arret du tram", "arret de metro", "arret du metro"),
)
"""Sayings in which the word means something else; to stop by is STOP after all where the text begins with it."""

_START = _set("start strat satrt startt unstop resume subscribe")
_START_FRENCH = _set("reprendre reprise reabonner reabonnement reinscription reactiver")
_HELP = _set("help hlep hepl helpp")
_HELP_FRENCH = _set("aide aides aider aidez adie aied")
_HELP_BOTH = _set("info infos ?")
_HOURS = re.compile(r"hours?|houres|open(?:s|ed|ing|ings)?|clos(?:e|es|ed|ing)")
_HOURS_FRENCH = re.compile(
    r"h?orr?ai?re?s?|horiares?|horaries?|ouver\w*|ouvr(?:e|es|ez|ir|ent)|ferm(?:e|es|ez|er|ent|ee|es|eture|etures)"
)
_HOURS_SAYINGS = ("quelle heure", "quelles heures")
_LIGHT = _set(
    "svp stp merci please pls thanks thank you sms pub pubs texto textos message messages au a the"
    " bonjour bonsoir hello hi"
    " me moi all tout de s il vous te plait"
)
"""Words that change nothing beside the one that counts; numbers are as light."""


def wish_of(text: str) -> Wish | None:
    """What a reply asks for; None where it is nothing of these."""
    words = _words(text)
    said = f" {' '.join(words)} "
    heavy = [word for word in words if word not in _LIGHT and not word.isdecimal()]
    alone = heavy or [word for word in words if not word.isdecimal()]
    only = alone[0] if len(alone) == 1 else None
    if only in _STOP_ALONE or _is_stop(said):
        return Wish(Word.STOP)
    if only in _START | _START_FRENCH:
        return Wish(Word.START, "fr" if only in _START_FRENCH else "en")
    if any(_HOURS_FRENCH.fullmatch(word) for word in words) or _has(said, _HOURS_SAYINGS):
        return Wish(Word.HOURS, "fr")
    if any(_HOURS.fullmatch(word) for word in words):
        return Wish(Word.HOURS, "en")
    for language, known in (("fr", _HELP_FRENCH), ("en", _HELP)):
        if not known.isdisjoint(words):
            return Wish(Word.HELP, language)
    return Wish(Word.HELP) if only in _HELP_BOTH else None


def _is_stop(said: str) -> bool:
    if _has(said, _STOP_SAYINGS):
        return True
    for saying in _NOT_STOP:
        said = said.replace(f" {saying} ", " ")
    if not said.startswith(tuple(f" {saying} " for saying in _STOP_BY)):
        for saying in _STOP_BY:
            said = said.replace(f" {saying} ", " ")
    return any(word in _STOP_SLIPS or _STOP.fullmatch(word) for word in said.split())


def _has(said: str, sayings: Iterable[str]) -> bool:
    return any(f" {saying} " in said for saying in sayings)


def _words(text: str) -> list[str]:
    """The words in small letters without their accents; letters that stand one by one are one word."""
    plain = unicodedata.normalize("NFKD", text[:_LONGEST]).casefold()
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    joined = _SPELT.sub(lambda found: _BETWEEN.sub("", found[0]), _APOSTROPHE.sub(" ", plain))
    return _TOKEN.findall(joined)
