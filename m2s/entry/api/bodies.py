"""What did the client send? Bodies read within their limit while they arrive, and JSON read more strictly than usual.

The usual reader takes NaN, numbers beyond double precision, lone surrogates and repeated keys; this one does not.
"""

import asyncio
import json
import math
import re
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec
from starlette.types import Message, Receive

from m2s.core.base.errors import Invalid, Problem, TooLarge
from m2s.entry.api.problems import Malformed, UnsupportedMedia
from m2s.entry.api.room import Held

DEEPEST = 16
"""Levels of nesting that a body may have; the deepest that anything here needs is 9 (a multipolygon's positions)."""
MOST_RATIO = 100
"""How many times its size what is inflated of a body may be; 500 positions that differ in nothing but age reach 34."""
_STEP_BYTES = 64 * 1024
"""What is inflated before others have their turn, and what any body may inflate to."""

_NO_MARKS = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_REFUSED_CHARACTER = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_CONSTANT = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|(?<=[\[:,\s])-?(?:NaN|Infinity)(?=[\]},\s])', re.DOTALL
)
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_PLACED = re.compile(r"JSON is malformed: (.+) \(byte (\d+)\)")
_MOST_QUOTES = _MOST_ESCAPES = 100_000
_GZIP_WINDOW = 31
_HALF_PAIR = "a text holds half of a surrogate pair"
_syntax = msgspec.json.Decoder(msgspec.Raw)


class ClientGoneError(Exception):
    """The client went away before its body was complete."""


async def read_body(
    receive: Receive,
    headers: list[tuple[bytes, bytes]],
    *,
    limit: int,
    held: Held,
    gzip_allowed: bool = False,
) -> bytes:
    """The whole body, inflated; raises TooLarge as soon as it passes `limit` bytes, before or after inflation.

    Raises UnsupportedMedia for any other content encoding, Malformed for bad gzip, ClientGoneError, and Unavailable
    when there is no room to hold it.
    """
    inflate = _inflater(headers, gzip_allowed=gzip_allowed)
    length = _header(headers, b"content-length")
    if length.isdigit() and int(length[:19]) > limit:
        raise _too_large(limit)
    message = await receive()
    if inflate is None and message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        held.take(len(body))
        return body
    arriving = _Arriving(inflate, limit, held=held)
    if await arriving.take(message):
        async with held.arriving():
            while await arriving.take(await receive()):
                pass
    return arriving.whole()


def read_json(body: bytes) -> Any:
    """The value of a JSON text.

    Raises Malformed for what is no JSON (NaN and Infinity are not), UnsupportedMedia for what is not UTF-8, and
    Invalid with a problem per value for numbers beyond double precision, control characters (but tab and line
    feed), lone surrogates and repeated keys.
    """
    problems: list[Problem] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            problems.append(Problem("", "duplicate_key", "an object names the same key twice"))
        return found

    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise UnsupportedMedia("the body is not UTF-8", code="not_utf8") from None
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=unique)
    except RecursionError:
        raise too_deep() from None
    except ValueError:
        raise not_json(body) from None
    if nested_deeper(body, DEEPEST):
        raise too_deep()
    problems += _refused_values(value)
    if problems:
        raise Invalid("the JSON holds values that are not taken", problems=problems)
    return value


def nested_deeper(body: bytes, levels: int) -> bool:
    """Whether valid JSON nests more than so many levels."""
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = unescaped.translate(_ONE_KIND, _NO_MARKS).replace(b'""', b"")
    brackets = b"".join(marks.split(b'"')[::2])
    for _ in range(levels):
        # Takes the innermost brackets away: one level.
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def not_json(body: bytes) -> Malformed:
    """The error for a body that no JSON reader takes: where it breaks, and what stands there in general terms."""
    try:
        body.decode("utf-8")
        _syntax.decode(body)
    except UnicodeDecodeError as error:
        return _not_json(body, error.start, "it is not UTF-8")
    except RecursionError:
        return too_deep()
    except msgspec.DecodeError as error:
        placed = _PLACED.fullmatch(str(error))
        if placed is not None:
            # Of what follows the end of the JSON text the reader names the second byte.
            at = int(placed[2]) - (placed[1] == "trailing characters")
            return _not_json(body, at, _standing(body, at, placed[1]))
        if _ends_early(body):
            return _not_json(body, len(body), "it ends too early")
        why = _HALF_PAIR
    else:
        why = "a number has too many digits"
    return Malformed(f"the body is not JSON: {why}", code="not_json")


def with_numbers_for_constants(body: bytes) -> bytes:
    """The body with each NaN and Infinity that stands for a value replaced by a number that no field takes.

    One of them then costs the value that holds it and not the whole JSON text. A body with more quotes than any
    batch needs is left alone.
    """
    if b"NaN" not in body and b"Infinity" not in body:
        return body
    if body.count(b'"') + body.count(b"NaN") + body.count(b"Infinity") > _MOST_QUOTES:
        return body
    return _CONSTANT.sub(lambda found: found[0] if found[0].startswith(b'"') else b"1e999", body)


def with_nul_for_half_pairs(body: bytes) -> bytes:
    """The body with each escape that is half of a surrogate pair replaced by that of NUL, which no text may hold.

    It then costs the text that holds it, one that was cut within an emoji, and not the whole JSON text. A body with
    more escapes than any batch needs is left alone.
    """
    if body.count(b"\\") > _MOST_ESCAPES:
        return body
    return _ESCAPE.sub(lambda found: b"\\u0000" if found[1] else found[0], body)


def too_deep() -> Malformed:
    """The error for a body that nests too deep."""
    return Malformed(f"the JSON nests deeper than {DEEPEST} levels", code="too_deep")


def media_type(headers: list[tuple[bytes, bytes]]) -> str:
    """The content type in lower case without its parameters; "" when there is none.

    Raises UnsupportedMedia for a charset other than UTF-8.
    """
    kind, *parameters = _header(headers, b"content-type").decode("latin-1").lower().split(";")
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name == "charset" and value.strip('"') not in ("utf-8", "utf8"):
            raise UnsupportedMedia("the body has to be UTF-8", code="not_utf8")
    return kind.strip()


class _Arriving:
    """A body of which so much has arrived."""

    def __init__(self, inflate: "_Inflater | None", limit: int, *, held: Held) -> None:
        self._inflate = inflate
        self._limit = limit
        self._held = held
        self._parts: list[bytes] = []
        self._received = self._size = 0

    async def take(self, message: Message) -> bool:
        """Takes what came next; says whether more is to come."""
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        self._received += len(chunk)
        if self._received > self._limit:
            raise _too_large(self._limit)
        if self._inflate is None:
            self._add(chunk)
        else:
            for part in self._inflate.pieces(chunk):
                if self._size + len(part) > max(_STEP_BYTES, self._inflate.taken_bytes * MOST_RATIO):
                    raise TooLarge(f"the body inflates to more than {MOST_RATIO} times its size")
                self._add(part)
                if len(part) == _STEP_BYTES:
                    await asyncio.sleep(0)
        return bool(message.get("more_body", False))

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            raise _too_large(self._limit)
        self._held.take(len(part))
        self._parts.append(part)

    def whole(self) -> bytes:
        if self._inflate:
            self._inflate.close()
        return b"".join(self._parts)


class _Inflater:
    """Inflates one gzip member, step by step, so that whoever takes the pieces can stop before there are too many."""

    def __init__(self) -> None:
        self.taken_bytes = 0
        self._stream = zlib.decompressobj(_GZIP_WINDOW)

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        step = b" "
        while chunk or len(step) == _STEP_BYTES:
            try:
                step = self._stream.decompress(chunk, _STEP_BYTES)
            except zlib.error:
                raise Malformed("the body is not gzip", code="not_gzip") from None
            if self._stream.unused_data:
                raise Malformed("the body goes on after the end of its gzip data", code="not_gzip")
            rest = self._stream.unconsumed_tail
            self.taken_bytes += len(chunk) - len(rest)
            yield step
            chunk = rest

    def close(self) -> None:
        if not self._stream.eof:
            raise Malformed("the gzip data ends too early", code="not_gzip")


def _inflater(headers: list[tuple[bytes, bytes]], *, gzip_allowed: bool) -> _Inflater | None:
    encoding = _header(headers, b"content-encoding").strip().lower()
    if encoding in (b"", b"identity"):
        return None
    if encoding == b"gzip" and gzip_allowed:
        return _Inflater()
    taken = "gzip or no content encoding" if gzip_allowed else "no content encoding"
    raise UnsupportedMedia(f"this route takes {taken}", code="unsupported_encoding")


def _header(headers: list[tuple[bytes, bytes]], name: bytes) -> bytes:
    return next((value for key, value in headers if key == name), b"")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit} bytes")


def _not_json(body: bytes, at: int, why: str) -> Malformed:
    line = body.count(b"\n", 0, at) + 1
    column = len(body[body.rfind(b"\n", 0, at) + 1 : at].decode("utf-8", "replace")) + 1
    return Malformed(
        f"the body is not JSON at byte {at} (line {line}, column {column}): {why}", code="not_json"
    )


def _standing(body: bytes, at: int, found: str) -> str:
    if body.startswith((b"NaN", b"Infinity"), at):
        return "NaN and Infinity are not numbers"
    if found == "invalid character" and b"" < body[at : at + 1] < b" ":
        return "control characters are written as escapes"
    if found == "unexpected end of hex escape":
        return _HALF_PAIR
    return found


def _ends_early(body: bytes) -> bool:
    """Whether the usual reader finds no end either; msgspec says so of half a surrogate pair too."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return True
    return False


def _refuse_constant(_: str) -> float:
    raise ValueError("not a JSON number")


def _refused_values(value: Any) -> list[Problem]:
    found = []
    for pointer, item in _walk(value):
        if isinstance(item, str) and _REFUSED_CHARACTER.search(item):
            detail = "the text holds a control character or half of a surrogate pair"
            found.append(Problem(pointer, "bad_character", detail))
        elif isinstance(item, float) and not math.isfinite(item):
            found.append(Problem(pointer, "number_out_of_range", "the number is beyond double precision"))
    return found


def _walk(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Every key and scalar of a JSON value with its JSON pointer."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield pointer, key
            yield from _walk(item, f"{pointer}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{pointer}/{index}")
    else:
        yield pointer, value
