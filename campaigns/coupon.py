"""What does a coupon's code look like? Twelve symbols that people can read out, the last of them a check."""

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_BASE = len(_ALPHABET)
_DATA_SYMBOLS = 11
_SYMBOLS = _DATA_SYMBOLS + 1
_GROUP = 4
_LONGEST_INPUT = 64

RANDOM_BYTES = 16
"""How many random bytes a code takes. 31^11 codes are 54.5 bits; folding 128 bits into them favours no code
by more than 31^11 / 2^128 < 2^-73 of its probability."""


def make_code(random_bytes: bytes) -> str:
    """The code `XXXX-XXXX-XXXX` of 16 random bytes from a cryptographic source.

    Raises ValueError for another number of bytes.
    """
    if len(random_bytes) != RANDOM_BYTES:
        raise ValueError(f"a coupon code needs {RANDOM_BYTES} random bytes, not {len(random_bytes)}")
    number = int.from_bytes(random_bytes, "big")
    digits = []
    for _ in range(_DATA_SYMBOLS):
        number, digit = divmod(number, _BASE)
        digits.append(digit)
    return _grouped([*digits, _check_digit(digits)])


def normalize(text: str) -> str:
    """The code that somebody typed or scanned, in the form of `make_code`; case, spaces and hyphens are free.

    Raises ValueError, with a sentence for the person at the till, when it cannot be a code.
    """
    if len(text) > _LONGEST_INPUT:
        raise ValueError(f"a coupon code has {_SYMBOLS} letters and digits; this text is far longer")
    symbols = "".join(text.split()).replace("-", "").upper()
    if len(symbols) != _SYMBOLS:
        raise ValueError(f"a coupon code has {_SYMBOLS} letters and digits; this one has {len(symbols)}")
    strange = next((symbol for symbol in symbols if symbol not in _ALPHABET), None)
    if strange is not None:
        raise ValueError(f"a coupon code never holds {strange!r} (nor 0, 1, I, L, O): read it again")
    digits = [_ALPHABET.index(symbol) for symbol in symbols]
    if digits[-1] != _check_digit(digits[:-1]):
        raise ValueError(
            "the last character does not fit the others, so one was misread or swapped: read it again"
        )
    return _grouped(digits)


def _check_digit(digits: list[int]) -> int:
    """The digit that makes the sum of place x digit a multiple of 31, as in ISBN-10 with 11.

    31 is prime and the places are 1 to 12: every single wrong symbol and every swap of two changes the sum.
    """
    weighted = sum(place * digit for place, digit in enumerate(digits, start=1))
    return -weighted * pow(_SYMBOLS, -1, _BASE) % _BASE


def _grouped(digits: list[int]) -> str:
    symbols = "".join(_ALPHABET[digit] for digit in digits)
    return "-".join(symbols[start : start + _GROUP] for start in range(0, _SYMBOLS, _GROUP))
