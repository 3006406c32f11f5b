"""How is one block of 16 bytes encrypted with AES-128 (FIPS 197)? For resolving rotating identities, nothing else.

Its run time depends on the key: fit for a server that compares its own keys, not where others can time it.
"""

_ROUNDS = 10


def encrypt_block(key: bytes, block: bytes) -> bytes:
    """16 bytes, encrypted with a key of 16 bytes; raises ValueError for other lengths."""
    if len(key) != 16 or len(block) != 16:
        raise ValueError(f"a key and a block have 16 bytes each, not {len(key)} and {len(block)}")
    keys = _round_keys(key)
    state = _xor(block, keys[0])
    for number in range(1, _ROUNDS + 1):
        # Bytes of a column stand together: row r of the next state comes from r columns farther on.
        shifted = bytes(_BOX[state[(place + 4 * (place % 4)) % 16]] for place in range(16))
        state = _xor(shifted if number == _ROUNDS else _mixed(shifted), keys[number])
    return state


def _round_keys(key: bytes) -> list[bytes]:
    words = [key[start : start + 4] for start in range(0, 16, 4)]
    constant = 1
    for number in range(4, 4 * (_ROUNDS + 1)):
        word = words[-1]
        if number % 4 == 0:
            word = bytes(_BOX[octet] for octet in word[1:] + word[:1])
            word = bytes((word[0] ^ constant,)) + word[1:]
            constant = _doubled(constant)
        words.append(_xor(words[-4], word))
    return [b"".join(words[start : start + 4]) for start in range(0, len(words), 4)]


def _mixed(state: bytes) -> bytes:
    """Each column times the fixed polynomial: 2a + 3b + c + d for each of its bytes in turn."""
    mixed = bytearray()
    for start in range(0, 16, 4):
        column = state[start : start + 4]
        every = column[0] ^ column[1] ^ column[2] ^ column[3]
        mixed += bytes(
            octet ^ every ^ _doubled(octet ^ following)
            for octet, following in zip(column, column[1:] + column[:1], strict=True)
        )
    return bytes(mixed)


def _doubled(octet: int) -> int:
    """Times x in the field of 256 elements."""
    return (octet << 1) ^ (0x11B if octet & 0x80 else 0)


def _xor(first: bytes, second: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(first, second, strict=True))


def _substitutes() -> bytes:
    """The S-box: each element's inverse (0 for 0), then five turns of it added, and 0x63."""
    powers = [1]
    while len(powers) < 255:
        powers.append(powers[-1] ^ _doubled(powers[-1]))
    inverses = [0] * 256
    for exponent, power in enumerate(powers):
        inverses[power] = powers[-exponent % 255]
    return bytes(_spread(inverse) ^ 0x63 for inverse in inverses)


def _spread(octet: int) -> int:
    turned = octet | octet << 8
    return (octet ^ turned >> 4 ^ turned >> 5 ^ turned >> 6 ^ turned >> 7) & 0xFF


_BOX = _substitutes()
