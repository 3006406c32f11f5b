"""How does an SMS leave over SMPP 3.4, straight to an SMS centre?"""

import asyncio
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from pydantic import Field

from m2s.adapters.channels import smpp_pdu as pdu
from m2s.adapters.channels.answers import seconds_left
from m2s.adapters.channels.smpp_session import OK, TEMPORARY_ERROR, Credentials, Lost, Session
from m2s.adapters.channels.surroundings import Options
from m2s.adapters.channels.wire import Wire, trusting
from m2s.app.channel import Accepted, Address, Misconfigured, Refused, RetryLater, SendResult, Unknown
from m2s.app.doctor import Finding
from m2s.app.rows import CouponRow, MessageRow
from m2s.core.base.instants import Clock

_LONGEST_VALIDITY_S = 30 * 86_400
_NOT_US = frozenset({0x0A, 0x0D, 0x0E, 0x0F, 0x48, 0x49, 0x53})
_BAD_NUMBER = frozenset({0x0B, 0x33, 0x34, 0x50, 0x51})
_BUSY = frozenset({0x04, 0x05, 0x08, 0x14, 0x58})
_STATUS_WAIT_S = 5.0


class SmppOptions(Options):
    """`[channels.smpp]`: the SMS centre, who we are there, and from whom messages come.

    `opted_out` has the provider's own statuses (such as 0x041A) that mean an opposition.
    """

    host: str
    port: int = Field(default=2775, ge=1, le=65_535)
    system_id: str
    password: str
    sender: str
    system_type: str = ""
    tls: bool = False
    ca_file: Path | None = None
    window: int = Field(default=10, ge=1, le=1_000)
    opted_out: tuple[int, ...] = ()


class SmppChannel:
    """Sends SMS over one session, which is bound at the first message and kept.

    `hear` takes what the centre delivers to us; without it, receipts are not asked for, and shoppers' messages stay
    with the centre.
    """

    def __init__(
        self,
        options: SmppOptions,
        *,
        wire: Wire,
        clock: Clock,
        hear: Callable[[pdu.Delivery], None] | None = None,
    ) -> None:
        wire.permit(f"smpp://{options.host}:{options.port}")
        self._options = options
        self._wire = wire
        self._clock = clock
        self._hear = hear
        self._tls = trusting(options.ca_file) if options.tls else None
        self._session: Session | None = None
        self._binding = asyncio.Lock()
        self._room = asyncio.Semaphore(options.window)
        wire.keep(self)

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """Submits one message; the coupon's code stands in its text."""
        del coupon
        if address.phone is None:
            return Refused("no_phone", "the shopper has no phone number", asked=False)
        left_s = seconds_left(message, self._clock.now(), least=1, most=_LONGEST_VALIDITY_S)
        body = pdu.submit(
            pdu.Submission(
                self._options.sender,
                address.phone,
                message.body,
                timedelta(seconds=left_s),
                receipt=self._hear is not None,
            )
        )
        return self._wire.run(lambda until: self._send(body, until))

    def check(self) -> Finding:
        """Binds."""
        result = self._wire.run(self._bound)
        if isinstance(result, Session):
            return Finding(True, "the centre takes our name")
        if isinstance(result, Misconfigured):
            return Finding(False, result.detail, "look at system_id, password and system_type")
        return Finding(False, result.detail, "look at host and port, then at the network")

    async def close(self) -> None:
        """Takes leave of the centre."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _send(self, body: bytes, until: float) -> SendResult:
        left = False
        try:
            async with asyncio.timeout_at(until), self._room:
                session = await self._bound(until)
                if not isinstance(session, Session):
                    return session
                left = True
                answer = await session.ask(pdu.SUBMIT_SM, body)
        except TimeoutError:
            return (
                Unknown("no answer: the time was up")
                if left
                else RetryLater(0.0, "not sent: the time was up")
            )
        except Lost as lost:
            return Unknown(f"no answer: {lost}") if lost.left else RetryLater(0.0, f"not sent: {lost}")
        return self._result(answer)

    async def _bound(self, until: float) -> Session | RetryLater | Misconfigured:
        """The session, made where there is none or it is over."""
        try:
            async with asyncio.timeout_at(until), self._binding:
                if self._session is None or self._session.over:
                    await self.close()
                    return await self._opened()
                return self._session
        except (OSError, ssl.SSLError, Lost) as error:
            return RetryLater(0.0, f"not sent: no session: {type(error).__name__}")

    async def _opened(self) -> Session | RetryLater | Misconfigured:
        options = self._options
        session = await Session.open(options.host, options.port, tls=self._tls, hear=self._heard)
        bound = False
        try:
            who = Credentials(options.system_id, options.password, options.system_type)
            status = await session.bind(who)
            bound = status == OK
        finally:
            if not bound:
                await session.close()
        if bound:
            self._session = session
            return session
        detail = f"bind refused with status {status:#06x}"
        return Misconfigured("bind", detail) if status in _NOT_US else RetryLater(_STATUS_WAIT_S, detail)

    async def _heard(self, body: bytes) -> int:
        """Answers with success only after what was delivered is with those who hear it."""
        if self._hear is None:
            return TEMPORARY_ERROR
        await asyncio.to_thread(self._hear, pdu.delivery(body))
        return OK

    def _result(self, answer: pdu.Unit) -> SendResult:
        status = answer.status
        detail = f"status {status:#06x}"
        if status == OK:
            provider_id = pdu.text_of(answer.body)
            return Accepted(provider_id) if provider_id else Unknown("accepted without an id")
        if status in self._options.opted_out:
            return Refused("opted_out", detail, opted_out=True)
        if status in _BUSY:
            return RetryLater(0.0, detail)
        if status in _BAD_NUMBER:
            return Refused("bad_number", detail)
        if status in _NOT_US:
            return Misconfigured("smpp", detail)
        return Refused("rejected", detail, dead_letter=True)
