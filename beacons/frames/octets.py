"""How are bytes written for people, and how is told what is wrong with them?"""

import re

_SEPARATORS = re.compile(r"[\s:]+")
_BYTES = re.compile(r"(?:0x)?((?:[0-9a-f]{2})+)", re.IGNORECASE)


class BadFrame(ValueError):
    """Bytes that are not the frame they should be; the text says at which byte, counted from 0."""


def read_hex(text: str) -> bytes:
    """The bytes of hexadecimal text: `02011a…`, `02 01 1a …`, `02:01:1a:…` or `0x02 0x01 …`.

    Raises BadFrame where the text is something else.
    """
    octets = b""
    for word in filter(None, _SEPARATORS.split(text)):
        digits = _BYTES.fullmatch(word)
        if digits is None:
            raise BadFrame(
                f"byte {len(octets)}: {word[:40]!r} is no hexadecimal byte; write two of 0-9a-f for each"
            )
        octets += bytes.fromhex(digits[1])
    return octets


def signed(octet: int) -> int:
    """A byte as the number of two's complement that radio powers are sent as."""
    return octet - 256 if octet > 127 else octet
