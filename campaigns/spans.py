"""How is a length of time said to people? In its two largest units."""

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def span_text(seconds: float) -> str:
    """A length of time, e.g. `4 minutes 32 seconds`; days only from two on."""
    left, parts = round(seconds), []
    for size, name in _UNITS:
        if left >= size and not (name == "day" and left < 2 * size):
            count, left = divmod(left, size)
            parts.append(counted(str(count), name))
    return " ".join(parts[:2]) or "0 seconds"


def counted(number: str, name: str) -> str:
    """A number with its noun: `1 hour`, `2 hours`."""
    return f"{number} {name}{'' if number == '1' else 's'}"
