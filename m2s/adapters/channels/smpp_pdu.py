"""How is SMPP written? The few units of version 3.4 that a sender needs, to bytes and back, and its alphabets.

https://smpp.org/SMPP_v3_4_Issue1_2.pdf
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

GENERIC_NACK = 0x8000_0000
SUBMIT_SM = 0x0000_0004
DELIVER_SM = 0x0000_0005
UNBIND = 0x0000_0006
BIND_TRANSCEIVER = 0x0000_0009
ENQUIRE_LINK = 0x0000_0015
RESPONSE = 0x8000_0000
"""Added to a command, this is its response."""

HEADER_BYTES = 16
MOST_BYTES = 65_536
_VERSION = 0x34
_MESSAGE_PAYLOAD, _RECEIPTED_ID, _MESSAGE_STATE = 0x0424, 0x001E, 0x0427
_INTERNATIONAL, _NETWORK, _ALPHANUMERIC, _ISDN, _NO_PLAN = 1, 3, 5, 1, 0
_DEFAULT_ALPHABET, _UCS2 = 0, 8
_RECEIPT, _CLASS = 0x04, 0x3C
_LONGEST_SHORT_CODE = 6
_STATES = {
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
}

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
_GSM = {
    **{sign: bytes([code]) for code, sign in enumerate(_BASIC) if sign != "\x1b"},
    **{sign: bytes([0x1B, code]) for sign, code in _EXTENSION.items()},
}
_READ_GSM = {octets: sign for sign, octets in _GSM.items()}


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of the protocol."""

    command: int
    status: int
    sequence: int
    body: bytes = b""

    def to_bytes(self) -> bytes:
        """As it goes over the wire."""
        length = HEADER_BYTES + len(self.body)
        return struct.pack(">IIII", length, self.command, self.status, self.sequence) + self.body


@dataclass(frozen=True, slots=True)
class Submission:
    """A message to send: numbers in digits, or a sender with letters."""

    sender: str
    to: str
    text: str
    valid_for: timedelta
    receipt: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a provider delivers to us: a receipt for `receipt_of` with its `state`, or a shopper's own message."""

    sender: str
    text: str
    receipt_of: str | None = None
    state: str | None = None
    tags: Mapping[int, bytes] = field(default_factory=dict)


def bind(system_id: str, password: str, system_type: str) -> bytes:
    """The body of a bind_transceiver."""
    return _text(system_id) + _text(password) + _text(system_type) + bytes([_VERSION, 0, 0]) + _text("")


def submit(message: Submission) -> bytes:
    """The body of a submit_sm; a text that is longer than a short message goes as a payload that the centre divides."""
    coding, octets, is_short = encoded(message.text)
    ton, npi = _kind(message.sender)
    body = _text("") + bytes([ton, npi]) + _text(message.sender.removeprefix("+"))
    body += bytes([_INTERNATIONAL, _ISDN]) + _text(message.to.removeprefix("+"))
    body += bytes([0, 0, 0]) + _text("") + _text(relative(message.valid_for))
    body += bytes([int(message.receipt), 0, coding, 0])
    if is_short:
        return body + bytes([len(octets)]) + octets
    return body + bytes([0]) + struct.pack(">HH", _MESSAGE_PAYLOAD, len(octets)) + octets


def encoded(text: str) -> tuple[int, bytes, bool]:
    """The coding of a text, its bytes, and whether they fit into one short message."""
    if all(sign in _GSM for sign in text):
        octets = b"".join(_GSM[sign] for sign in text)
        return _DEFAULT_ALPHABET, octets, len(octets) <= 160
    octets = text.encode("utf-16-be", "replace")
    return _UCS2, octets, len(octets) <= 140


def relative(span: timedelta) -> str:
    """A span as SMPP writes it, of one second at least: `000000004500000R` is 45 minutes."""
    seconds = max(1, int(span.total_seconds()))
    days, rest = divmod(seconds, 86_400)
    return f"0000{min(days, 30):02}{rest // 3600:02}{rest % 3600 // 60:02}{rest % 60:02}000R"


def text_of(body: bytes) -> str:
    """The text that a body begins with: the system's name in a bind_resp, the message's id in a submit_sm_resp."""
    return body.split(b"\0", 1)[0].decode("ascii", "replace")


def delivery(body: bytes) -> Delivery:
    """What a deliver_sm says. Raises ValueError for a body that is none."""
    try:
        rest = body
        _, rest = _cut(rest)
        sender, rest = _cut(rest[2:])
        _, rest = _cut(rest[2:])
        esm_class, rest = rest[0], rest[3:]
        _, rest = _cut(rest)
        _, rest = _cut(rest)
        coding, length = rest[2], rest[4]
        octets, rest = _taken(rest[5:], length)
        tags = _tags(rest)
    except (IndexError, struct.error) as error:
        raise ValueError("a deliver_sm that breaks off") from error
    text = _decoded(tags.get(_MESSAGE_PAYLOAD, octets), coding)
    if esm_class & _CLASS != _RECEIPT:
        return Delivery(sender, text, tags=tags)
    return Delivery(sender, text, receipt_of=_receipted(tags, text), state=_state(tags, text), tags=tags)


def _receipted(tags: Mapping[int, bytes], text: str) -> str | None:
    if _RECEIPTED_ID in tags:
        return text_of(tags[_RECEIPTED_ID])
    found = re.search(r"\bid:(\S+)", text)
    return found[1] if found else None


def _state(tags: Mapping[int, bytes], text: str) -> str | None:
    if _MESSAGE_STATE in tags:
        return _STATES.get(tags[_MESSAGE_STATE][-1])
    found = re.search(r"\bstat:(\w+)", text)
    return found[1] if found else None


def _decoded(octets: bytes, coding: int) -> str:
    if coding == _UCS2:
        return octets.decode("utf-16-be", "replace")
    if coding != _DEFAULT_ALPHABET:
        return octets.decode("latin-1")
    text, escape = "", b""
    for octet in octets:
        if octet == 0x1B:
            escape = b"\x1b"
            continue
        text += _READ_GSM.get(escape + bytes([octet]), "?")
        escape = b""
    return text


def _tags(rest: bytes) -> dict[int, bytes]:
    found = {}
    while rest:
        tag, length = struct.unpack(">HH", rest[:4])
        found[tag], rest = _taken(rest[4:], length)
    return found


def _kind(sender: str) -> tuple[int, int]:
    digits = sender.removeprefix("+")
    if not digits.isdecimal():
        return _ALPHANUMERIC, _NO_PLAN
    return (_NETWORK, _NO_PLAN) if len(digits) <= _LONGEST_SHORT_CODE else (_INTERNATIONAL, _ISDN)


def _text(value: str) -> bytes:
    return value.encode("ascii", "replace").replace(b"\0", b"?") + b"\0"


def _taken(rest: bytes, length: int) -> tuple[bytes, bytes]:
    """So many bytes, and what follows them."""
    if len(rest) < length:
        raise IndexError("fewer bytes than announced")
    return rest[:length], rest[length:]


def _cut(rest: bytes) -> tuple[str, bytes]:
    """A text that ends in a zero, and what follows it."""
    end = rest.find(b"\0")
    if end < 0:
        raise IndexError("no end of a text")
    return rest[:end].decode("latin-1"), rest[end + 1 :]
