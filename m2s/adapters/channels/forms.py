"""What stands in a form that a provider sends? Its fields in order, as in the query of an address."""

from urllib.parse import parse_qsl

from m2s.core.base.errors import Invalid

_MOST_FIELDS = 500


def form_fields(body: bytes | str) -> list[tuple[str, str]]:
    """The fields of a form or query; raises Invalid for what is none."""
    try:
        text = body if isinstance(body, str) else body.decode()
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Invalid("the body is no form of a provider") from None
