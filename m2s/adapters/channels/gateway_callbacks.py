"""What does a gateway tell that m2s does not know? As the settings describe its requests and how they are signed."""

import base64
import hmac
import json
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from m2s.adapters.channels.answers import text_at
from m2s.adapters.channels.forms import form_fields
from m2s.adapters.channels.surroundings import Options
from m2s.app.callbacks import WHOLE, Callback, Heard, Listener, Receipt, Reply
from m2s.core.base.errors import Forbidden, Invalid
from m2s.core.delivery.message import State

_MOST_PARTS = 255


class GatewayCallback(Options):
    """`[channels.gateway.callback]`: the signature over the body, where things stand in it, what its statuses mean.

    Paths are those of the gateway's answers, like `report.0.status`; in a form they are names. A receipt has `id` and
    `status`, and `part` with `parts` where each part has its own. A reply has `phone` and `text`.
    """

    secret: str = Field(min_length=16)
    header: str = "x-signature"
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    format: Literal["json", "form"] = "json"
    id: str = "id"
    status: str = "status"
    part: str | None = None
    parts: str | None = None
    delivered: tuple[str, ...] = ()
    undelivered: tuple[str, ...] = ()
    opted_out: tuple[str, ...] = ()
    phone: str | None = None
    text: str | None = None
    reply_id: str | None = None

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.part is None) != (self.parts is None):
            raise ValueError("give part and parts together: a message is delivered when every part is")
        if (self.phone is None) != (self.text is None):
            raise ValueError("give phone and text together: a reply has both")
        if not self.delivered and self.text is None:
            raise ValueError("say which statuses mean delivered, or where phone and text of a reply stand")
        return self


class GatewayListener:
    """Listens to requests as the settings describe them."""

    def __init__(self, callback: GatewayCallback) -> None:
        self._told = callback
        self._key = callback.secret.encode()

    def hear(self, callback: Callback) -> Heard:
        """A reply where its text is there, else a receipt."""
        shown = callback.headers.get(self._told.header.lower(), "").encode()
        if not hmac.compare_digest(self._signature(callback.body).encode(), shown):
            raise Forbidden("this is not signed with the secret of channels.gateway.callback")
        value = self._read(callback.body)
        told = self._told
        phone, text = self._at(value, told.phone), self._at(value, told.text)
        if phone and text:
            return Heard(replies=(Reply(self._at(value, told.reply_id) or None, phone, text),))
        found, status = self._at(value, told.id), self._at(value, told.status)
        if not found or not status:
            raise Invalid("this is neither a receipt with id and status nor a reply")
        part, parts = self._number(value, told.part, WHOLE), self._number(value, told.parts, 1)
        opposed = status in told.opted_out
        state = State.DELIVERED if status in told.delivered else None
        state = State.UNDELIVERED if opposed or status in told.undelivered else state
        return Heard((Receipt(found, status, state, part, parts, opposed, phone or None),))

    def answer(self, _text: str | None) -> None:
        """What a gateway would do with a text in the answer, nobody knows."""

    def _signature(self, body: bytes) -> str:
        digest = hmac.digest(self._key, body, self._told.algorithm)
        written = digest.hex() if self._told.encoding == "hex" else base64.b64encode(digest).decode()
        return self._told.prefix + written

    def _read(self, body: bytes) -> Any:
        if self._told.format == "form":
            return dict(form_fields(body))
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise Invalid("the body is not JSON") from None

    def _at(self, value: Any, path: str | None) -> str:
        if path is None:
            return ""
        if self._told.format == "form":
            return text_at(value, path)
        steps = path.split(".")
        return text_at(value, *(int(step) if step.isdecimal() else step for step in steps))

    def _number(self, value: Any, path: str | None, otherwise: int) -> int:
        if path is None:
            return otherwise
        text = self._at(value, path)
        if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= _MOST_PARTS):
            raise Invalid(f"{path} is a number from 1 to {_MOST_PARTS}")
        return int(text)


def listener(options: Any) -> Listener | None:
    """The listener of `[channels.gateway]`; None where it has no `callback`."""
    callback: GatewayCallback | None = options.callback
    return None if callback is None else GatewayListener(callback)
