"""How long is an SMS? Its alphabet, how many parts it is sent in, and a spelling that needs fewer of them.

The alphabet of GSM 03.38 takes 160 places in one part, or 153 in each of several; a text with any other sign is sent in
UCS-2, 70 UTF-16 units in one part or 67 in each of several. A sign of two places is never divided between parts.
"""

from dataclasses import dataclass
from unicodedata import combining, normalize

from campaigns.model import Transliterate

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM = _BASIC | _EXTENSION

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("’‘‛′`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("–—‒―‑‐−", "-"),
        **dict.fromkeys("\t\u00a0\u202f\u2009\u2007\u2002\u2003", " "),
        **dict.fromkeys("\u00ad\u200b\ufeff", ""),
        "…": "...",
        "œ": "oe",
        "Œ": "OE",
        "•": "-",
    }
)


@dataclass(frozen=True, slots=True)
class Length:
    """How an SMS is sent: `encoding` is `GSM-7` or `UCS-2`, `units` septets of the one or UTF-16 units of the other."""

    encoding: str
    units: int
    parts: int

    @property
    def message_bits(self) -> int:
        """The bits of the text itself."""
        return self.units * (7 if self.encoding == "GSM-7" else 16)

    @property
    def room(self) -> int:
        """How many units one part takes, where there is one; in each of several a header takes seven, or three."""
        return 160 if self.encoding == "GSM-7" else 70


def length(text: str) -> Length:
    """How a text is sent; an empty one is one part."""
    if _GSM.issuperset(text):
        units = len(text) + sum(text.count(sign) for sign in _EXTENSION)
        return Length("GSM-7", units, 1 if units <= 160 else _packed(text, 153, wide=_EXTENSION))
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if units <= 70:
        return Length("UCS-2", units, 1)
    return Length("UCS-2", units, _packed(text, 67, wide=frozenset(sign for sign in text if sign > "\uffff")))


def strange_signs(text: str) -> frozenset[str]:
    """The signs of a text that keep it out of GSM-7."""
    return frozenset(text) - _GSM


def _packed(text: str, room: int, *, wide: frozenset[str]) -> int:
    """How many parts of so many units a text needs, when a sign of two units is not divided."""
    parts, used = 1, 0
    for sign in text:
        units = 2 if sign in wide else 1
        if used + units > room:
            parts, used = parts + 1, 0
        used += units
    return parts


def spelt(text: str, how: Transliterate) -> str:
    """The text in a spelling that needs no more parts; accents stay where the text is not GSM-7 without them either."""
    if how is Transliterate.OFF or _GSM.issuperset(text):
        return text
    plain = text.translate(_SIGNS)
    if how is Transliterate.PLAIN:
        bare = "".join(sign if sign in _GSM else _without_accent(sign) for sign in normalize("NFC", plain))
        plain = bare if _GSM.issuperset(bare) else plain
    return plain if length(plain).parts <= length(text).parts else text


def _without_accent(sign: str) -> str:
    return "".join(part for part in normalize("NFKD", sign) if not combining(part))
