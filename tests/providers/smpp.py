"""An SMS centre that speaks SMPP 3.4; what it is sent is read by a library that is not ours.

Destinations of known endings are no numbers or have opted out. With `receipts` in its configuration it delivers a
receipt for each message, as often and in the order that the configuration says, and again those that are not taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import struct
import sys
from pathlib import Path
from typing import Any

from smpplib.gsm import GSM_CHARACTER_TABLE
from smpplib.smpp import parse_pdu

from tests.providers.serving import Request, StandIn, together

SUBMIT, DELIVER, UNBIND, BIND, ENQUIRE, RESPONSE = 0x04, 0x05, 0x06, 0x09, 0x15, 0x8000_0000
OK, BAD_NUMBER, BAD_SENDER, BAD_PASSWORD, THROTTLED, OPTED_OUT = 0x00, 0x0B, 0x0A, 0x0E, 0x58, 0x041A
NOT_BOUND = 0x04
_VALIDITY = re.compile(r"\d{15}[-+R]")
_ENDINGS = {"0610": OPTED_OUT, "0614": BAD_NUMBER}


class Centre(StandIn):
    """One account; every session of it must bind first."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._sessions = 0
        self._messages = 0
        self.over = asyncio.Event()

    def is_send(self, request: Request) -> bool:
        raise NotImplementedError

    async def session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection to its end."""
        self._sessions += 1
        number, bound = self._sessions, False
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(16)
                length, command, status, sequence = struct.unpack(">IIII", head)
                data = head + await reader.readexactly(length - 16)
                if command == BIND:
                    bound = self._bind(data)
                    answer = OK if bound else BAD_PASSWORD
                    self._write(writer, BIND | RESPONSE, answer, sequence, b"centre\0")
                elif command == SUBMIT:
                    if await self._submitted(data, writer, sequence, number if bound else 0):
                        return
                elif command == DELIVER | RESPONSE:
                    self.keep(kind="receipt", answer=status)
                elif command in (ENQUIRE, UNBIND):
                    self._write(writer, command | RESPONSE, OK, sequence)
        writer.close()

    def _bind(self, data: bytes) -> bool:
        asked = parse_pdu(data, client=_Numbers())
        if asked.interface_version != 0x34:
            self.keep(kind="violation", what=f"version {asked.interface_version}")
        right = (self.config["system_id"].encode(), self.config["password"].encode())
        return (asked.system_id, asked.password) == right

    async def _submitted(
        self, data: bytes, writer: asyncio.StreamWriter, sequence: int, session: int
    ) -> bool:
        """Whether the order was to break off."""
        order = self._order()
        if order.get("do") == "reset":
            writer.transport.abort()
            return True
        if order.get("do") == "status":
            self._write(writer, SUBMIT | RESPONSE, order["status"], sequence)
            return False
        status, message_id = self._judged(data, session)
        if order.get("do") == "cut":
            writer.transport.abort()
            return True
        if order.get("do") == "silent":
            return False
        if order.get("do") == "slow":
            await asyncio.sleep(order["s"])
        if order.get("do") == "close":
            together(writer)
        told = f"{message_id}\0".encode() if status == OK else b""
        self._write(writer, SUBMIT | RESPONSE, status, sequence, told)
        if status == OK:
            self._report(writer, message_id)
            if self._messages == 1:
                self._deliver_what_was_written(writer, to=self.config["sender"])
        if order.get("do") == "close":
            writer.close()
            return True
        return False

    def _judged(self, data: bytes, session: int) -> tuple[int, str]:
        asked = parse_pdu(data, client=_Numbers())
        to = asked.destination_addr.decode()
        flaw = self._flaw(asked, to)
        if flaw is not None:
            self.keep(kind="violation", what=flaw)
        if not session:
            return NOT_BOUND, ""
        if asked.source_addr.decode() != self.config["sender"]:
            return BAD_SENDER, ""
        if to[-4:] in _ENDINGS or not to.isdecimal() or len(to) < 7:
            return _ENDINGS.get(to[-4:], BAD_NUMBER), ""
        self._messages += 1
        message_id = f"{self._messages:08x}"
        octets = asked.short_message or asked.message_payload or b""
        self.keep(
            kind="accepted",
            id=message_id,
            to=to,
            text=_text(octets, asked.data_coding),
            by_payload=not asked.short_message,
            valid_for=asked.validity_period.decode(),
            receipt=asked.registered_delivery,
            sender_type=[asked.source_addr_ton, asked.source_addr_npi],
            connection=session,
        )
        return OK, message_id

    def _flaw(self, asked: Any, to: str) -> str | None:
        if (asked.dest_addr_ton, asked.dest_addr_npi) != (1, 1) or to.startswith("+"):
            return "an international number is written in digits, with type 1 and plan 1"
        if asked.validity_period and not _VALIDITY.fullmatch(asked.validity_period.decode()):
            return f"validity_period {asked.validity_period!r}"
        if asked.short_message and len(asked.short_message) > 254:
            return "short_message has 254 octets at most"
        if asked.data_coding not in (0, 8):
            return f"data_coding {asked.data_coding}"
        return None

    def _report(self, writer: asyncio.StreamWriter, message_id: str) -> None:
        for number, state in enumerate(self.config.get("receipts", []), start=1_000):
            dates = "submit date:2611030900 done date:2611030901"
            text = f"id:{message_id} sub:001 dlvrd:001 {dates} stat:{state} err:000 text:"
            body = b"\0" + b"\1\1" + b"33612345678\0" + b"\5\0" + self.config["sender"].encode() + b"\0"
            body += bytes([0x04, 0, 0]) + b"\0\0" + bytes([0, 0, 0, 0, len(text)]) + text.encode()
            self._write(writer, DELIVER, OK, number, body)

    def _deliver_what_was_written(self, writer: asyncio.StreamWriter, *, to: str) -> None:
        """Messages of a shopper, each as often as it stands in the configuration."""
        for number, text in enumerate(self.config.get("written", []), start=2_000):
            body = b"\0" + b"\1\1" + b"33612345678\0" + b"\5\0" + to.encode() + b"\0"
            body += bytes([0, 0, 0]) + b"\0\0" + bytes([0, 0, 0, 0, len(text)]) + text.encode()
            self._write(writer, DELIVER, OK, number, body)

    def _write(
        self, writer: asyncio.StreamWriter, command: int, status: int, sequence: int, body: bytes = b""
    ) -> None:
        writer.write(struct.pack(">IIII", 16 + len(body), command, status, sequence) + body)


class _Numbers:
    """What the library wants beside the bytes."""

    sequence = 0

    def next_sequence(self) -> int:
        return 1


def _text(octets: bytes, coding: int) -> str:
    if coding == 8:
        return octets.decode("utf-16-be")
    text, shift = "", 0
    for octet in octets:
        if octet == 0x1B:
            shift = 0x80
            continue
        # The library has no § in its table.
        text += "§" if octet + shift == 0x5F else GSM_CHARACTER_TABLE[octet + shift]
        shift = 0
    return text


async def main(centre: Centre) -> None:
    """Serves until the process is told to end; prints the port once it listens."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, centre.over.set)
    server = await asyncio.start_server(centre.session, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await centre.over.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main(Centre(Path(sys.argv[1]))))
