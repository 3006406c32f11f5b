"""What does OVHcloud tell? Receipts as the query of an address, answers to short numbers as a form; neither is signed.

So the address itself is the secret: its last part is `callback_token`.
https://help.ovhcloud.com/csm/fr-sms-users?id=kb_article_view&sysparm_article=KB0051417 and
https://github.com/ovh/docs/issues/1496
"""

import hmac

from m2s.adapters.channels.forms import form_fields
from m2s.adapters.channels.ovh import OvhOptions
from m2s.app.callbacks import Callback, Heard, Listener, Receipt, Reply
from m2s.core.base.errors import Forbidden, Invalid
from m2s.core.delivery.message import State

_DELIVERED = "4"
_ON_ITS_WAY = frozenset({"0", "1", "2", "3", "6"})
"""Codes (`ptt`) of a message that is tried again, was taken by the operator, or of which nothing more is known."""


class OvhListener:
    """Listens at an address that only OVHcloud knows."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def hear(self, callback: Callback) -> Heard:
        """A receipt has `id` and `ptt`, an answer `id`, `senderid` and `message`."""
        if not hmac.compare_digest(self._token, (callback.token or "").encode()):
            raise Forbidden("this address is not the one that was given to OVHcloud")
        told = dict([*form_fields(callback.query), *form_fields(callback.body)])
        found = told.get("id", "")
        if found and "ptt" in told:
            code = told["ptt"]
            if not code.isdecimal():
                raise Invalid("ptt is a number")
            state = State.DELIVERED if code == _DELIVERED else State.UNDELIVERED
            return Heard((Receipt(found, f"ptt {code}", None if code in _ON_ITS_WAY else state),))
        if found and "message" in told and "senderid" in told:
            phone = told["senderid"].strip().removeprefix("+").removeprefix("00")
            return Heard(replies=(Reply(found, f"+{phone}", told["message"]),))
        raise Invalid("this is neither a receipt (id, ptt) nor an answer (id, senderid, message)")

    def answer(self, _text: str | None) -> None:
        """OVHcloud takes no text in the answer to a request."""


def listener(options: OvhOptions) -> Listener | None:
    """The listener of `[channels.ovh]`; None where it has no `callback_token`."""
    return None if options.callback_token is None else OvhListener(options.callback_token)
