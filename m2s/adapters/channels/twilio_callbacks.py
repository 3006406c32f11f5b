"""What does Twilio tell? Status callbacks and incoming messages, signed with the account's auth token.

https://www.twilio.com/docs/usage/webhooks/webhooks-security and
https://www.twilio.com/docs/messaging/guides/webhook-request
"""

import base64
import hmac
from collections.abc import Iterable
from xml.sax.saxutils import escape

from m2s.adapters.channels.forms import form_fields
from m2s.adapters.channels.twilio import OPTED_OUT, TwilioOptions
from m2s.app.callbacks import Answer, Callback, Heard, Listener, Receipt, Reply
from m2s.core.base.errors import Forbidden, Invalid
from m2s.core.delivery.message import State

_STATES = {
    "delivered": State.DELIVERED,
    "read": State.DELIVERED,
    "undelivered": State.UNDELIVERED,
    "failed": State.UNDELIVERED,
    "canceled": State.UNDELIVERED,
}
_TWIML = "text/xml; charset=utf-8"


class TwilioListener:
    """Listens at the address of `status_callback`, which is also the one for incoming messages."""

    def __init__(self, auth_token: str, url: str) -> None:
        self._key = auth_token.encode()
        self._url = url.partition("?")[0]

    def hear(self, callback: Callback) -> Heard:
        """A status callback has MessageStatus, an incoming message Body and From."""
        fields = form_fields(callback.body)
        address = self._url + (f"?{callback.query}" if callback.query else "")
        shown = callback.headers.get("x-twilio-signature", "")
        if not hmac.compare_digest(signature(self._key, address, fields).encode(), shown.encode()):
            raise Forbidden("this is not signed by Twilio for the address in status_callback")
        told = dict(fields)
        sid = told.get("MessageSid") or told.get("SmsSid")
        if sid and "MessageStatus" in told:
            status, error = told["MessageStatus"], told.get("ErrorCode", "")
            state = _STATES.get(status)
            named = f"{status} {error}" if error and state is State.UNDELIVERED else status
            return Heard(
                (Receipt(sid, named, state, opposed=error in OPTED_OUT, phone=told.get("To")),),
            )
        if sid and "Body" in told and "From" in told:
            # What Twilio has understood, and answered, by words of its own for this sender.
            word = told.get("OptOutType", "")
            return Heard(replies=(Reply(sid, told["From"], word or told["Body"], answered=bool(word)),))
        raise Invalid("this is neither a status callback nor an incoming message")

    def answer(self, text: str | None) -> Answer:
        """TwiML, which Twilio sends to who wrote."""
        said = f"<Message>{escape(text)}</Message>" if text else ""
        body = f'<?xml version="1.0" encoding="UTF-8"?><Response>{said}</Response>'
        return Answer(_TWIML, body.encode())


def listener(options: TwilioOptions) -> Listener | None:
    """The listener of `[channels.twilio]`; None where it has no `status_callback`."""
    url = options.status_callback
    return None if url is None else TwilioListener(options.auth_token, url)


def signature(key: bytes, url: str, fields: Iterable[tuple[str, str]]) -> str:
    """X-Twilio-Signature: HMAC-SHA1 of the address with every field, sorted, in Base64."""
    text = url + "".join(f"{name}{value}" for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha1")).decode()
