"""Token ids as they are stored: seven bits to a byte, least significant first, then deflated.

1.2 to 1.5 bytes a token on GSM8K's solutions in the vocabularies of SmolLM2 and Gemma 3, where ``int4[]`` takes 4 and a head of 24.
"""

import zlib
from collections.abc import Sequence


def packed(tokens: Sequence[int]) -> bytes:
    """Return token ids, each 0 or more, as few bytes."""
    values = bytearray()
    for token in tokens:
        rest = token
        while rest > 0x7F:
            values.append(rest & 0x7F | 0x80)
            rest >>= 7
        values.append(rest)
    return zlib.compress(values)


def unpacked(stored: bytes) -> tuple[int, ...]:
    """Return the token ids that :func:`packed` made ``stored`` from."""
    tokens, token, shift = [], 0, 0
    for value in zlib.decompress(stored):
        token |= (value & 0x7F) << shift
        shift += 7
        if value < 0x80:
            tokens.append(token)
            token = shift = 0
    return tuple(tokens)
