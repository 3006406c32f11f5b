"""Is an SMS as long as networks count it? Cases of another implementation, known vectors, an encoder of its own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.model import Transliterate
from campaigns.sms import length, spelt
from tests.data import read_text

OFF, SMART, PLAIN = Transliterate.OFF, Transliterate.SMART, Transliterate.PLAIN
HEADER_BITS = 48

BOUTIQUE = (
    "Boutique Léon : -20% ce samedi sur présentation de ce SMS, 12 rue de la Paix. Code AB12CD. STOP au 36180"
)


def test_every_case_of_another_implementation_is_counted_alike() -> None:
    cases = [json.loads(line) for line in read_text("testcases/sms_segments.jsonl").splitlines()]
    assert len(cases) == 51
    wrong = []
    for case in cases:
        counted = length(case["body"])
        found = {
            "encoding": counted.encoding,
            "segments": counted.parts,
            "message_bits": counted.message_bits,
            "total_bits": counted.message_bits + (counted.parts * HEADER_BITS if counted.parts > 1 else 0),
        }
        wrong += [(case["case"], key) for key in found if case[key] not in (None, found[key])]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "encoding", "parts"),
    [
        ("a" * 160, "GSM-7", 1),
        ("a" * 161, "GSM-7", 2),
        ("a" * 306, "GSM-7", 2),
        ("a" * 307, "GSM-7", 3),
        ("€" * 80, "GSM-7", 1),
        ("€" * 81, "GSM-7", 2),
        ("é" * 160, "GSM-7", 1),
        ("ç", "UCS-2", 1),
        ("Ç", "GSM-7", 1),
        ("ê" * 70, "UCS-2", 1),
        ("ê" * 71, "UCS-2", 2),
        ("ê" * 134, "UCS-2", 2),
        ("ê" * 135, "UCS-2", 3),
        ("😀" * 35, "UCS-2", 1),
        ("😀" * 36, "UCS-2", 2),
        ("a" * 152 + "€" + "a" * 7, "GSM-7", 2),
        ("L’été", "UCS-2", 1),
        ("`", "UCS-2", 1),
        ("\t", "UCS-2", 1),
        ("\u00a0", "UCS-2", 1),
        (BOUTIQUE, "GSM-7", 1),
        (BOUTIQUE.replace("Léon", "Léôn"), "UCS-2", 2),
        ("", "GSM-7", 1),
    ],
)
def test_known_texts_have_known_lengths(text: str, encoding: str, parts: int) -> None:
    assert (length(text).encoding, length(text).parts) == (encoding, parts)


def test_a_sign_of_two_places_is_not_divided_between_parts() -> None:
    fits = length("a" * 152 + "€" + "a" * 151)
    assert (fits.units, fits.parts) == (305, 2)
    wasted = length("a" * 152 + "€" + "a" * 152)
    assert (wasted.units, wasted.parts) == (306, 3)
    assert length("a" * 306).parts == 2


SIGNS = st.sampled_from("aé€^çê😀\n[ô ’0")


@settings(max_examples=1_000)
@given(st.text(st.one_of(SIGNS, st.characters(exclude_categories=["Cs"])), max_size=400))
def test_any_text_is_counted_as_an_encoder_cuts_it(text: str) -> None:
    """Cut off as much as one part takes, as bytes of the alphabet, until nothing is left."""
    table = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    table += "¿abcdefghijklmnopqrstuvwxyzäöñüà"
    extension = {"\f": 10, "^": 20, "{": 40, "}": 41, "\\": 47, "[": 60, "~": 61, "]": 62, "|": 64, "€": 101}
    assert len(table) == 128
    if all((sign in table and sign != "\x1b") or sign in extension for sign in text):
        units = [[27, extension[sign]] if sign in extension else [table.index(sign)] for sign in text]
        whole, room = 160, 153
    else:
        units = [list(sign.encode("utf-16-le"))[::2] for sign in text]
        whole, room = 70, 67
    assert length(text).units == sum(map(len, units))
    parts = []
    while units:
        part: list[int] = []
        limit = whole if sum(map(len, units)) <= whole and not parts else room
        while units and len(part) + len(units[0]) <= limit:
            part += units.pop(0)
        parts.append(part)
    assert length(text).parts == max(1, len(parts))


@pytest.mark.parametrize(
    ("text", "how", "written"),
    [
        ("L’été — « cœur »…", OFF, "L’été — « cœur »…"),
        ("L’été — « cœur »…", SMART, 'L\'été - " coeur "...'),
        ("Façade et fête", SMART, "Façade et fête"),
        ("Façade et fête, ÀÂÈÊÎÔÙ, été à 5 €", PLAIN, "Facade et fete, AAEEIOU, été à 5 €"),
        ("Ça va, Zoë ?", PLAIN, "Ça va, Zoe ?"),
        ("…" * 40 + "ê", SMART, "…" * 40 + "ê"),
        ("Croissant 🥐 doré, fête", PLAIN, "Croissant 🥐 doré, fête"),
        ("5\u00a0€\u202f!", SMART, "5 € !"),
    ],
)
def test_a_spelling_changes_what_it_says_and_no_more(text: str, how: Transliterate, written: str) -> None:
    assert spelt(text, how) == written


@given(st.text(max_size=200), st.sampled_from([SMART, PLAIN]))
def test_a_spelling_never_needs_more_parts(text: str, how: Transliterate) -> None:
    text = text.encode("utf-8", "ignore").decode()
    assert length(spelt(text, how)).parts <= length(text).parts
    assert spelt(spelt(text, how), how) == spelt(text, how)
