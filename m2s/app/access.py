"""Who is calling, and as what? API keys and device tokens, known only by their SHA-256.

A secret has 256 random bits, so a plain hash is enough, and looking it up by that hash tells nothing by its timing.
"""

import hashlib
import re
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Literal

from m2s.app.ports import Database, Records
from m2s.app.rows import DeviceRow, KeyRow
from m2s.core.base.errors import Invalid, NotFound, Unauthenticated
from m2s.core.base.ids import Ids
from m2s.core.base.instants import Clock


class Role(StrEnum):
    """What a caller may do; every route names the roles that it serves."""

    SDK = "sdk"
    DEVICE = "device"
    SERVER = "server"
    MANAGER = "manager"
    TILL = "till"
    ANALYST = "analyst"
    PRIVACY = "privacy"
    ADMIN = "admin"


KEY_ROLES = tuple(role for role in Role if role is not Role.DEVICE)
"""The roles that a key can have; a device gets its token when it is registered."""

_SECRET_BYTES = 32
_KEY_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_KEY_ID_LENGTH = 8
_KEY_TEXT = re.compile(r"pk_[a-z]{2,10}_[0-9a-z]{8}_[A-Za-z0-9_-]{43}")
_TOKEN_TEXT = re.compile(r"dt_[A-Za-z0-9_-]{43}")
_NOT_LIVE = "this key or token is unknown or was revoked"
_CACHED_AT_MOST = 50_000
"""A hash and its caller take about 1 KB: some 50 MB when full."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller: a key, or a device as it was when it first called with this shopper."""

    role: Role
    key: KeyRow | None = None
    device: DeviceRow | None = None

    @property
    def kind(self) -> Literal["key", "device"]:
        """Whether a key or a device token was shown."""
        return "key" if self.device is None else "device"

    @property
    def key_id(self) -> str | None:
        """The key's id; None for a device."""
        return self.key.id if self.key else None

    @property
    def store_id(self) -> str | None:
        """The store that the key is bound to, if any."""
        return self.key.store_id if self.key else None


def secret_hash(text: str) -> bytes:
    """The SHA-256 by which a key or token is kept."""
    return hashlib.sha256(text.encode()).digest()


def token_text(random_bytes: bytes) -> str:
    """The device token `dt_…` of 32 unguessable bytes."""
    return f"dt_{_base64(random_bytes)}"


class Access:
    """Creates, revokes and recognises keys; recognises device tokens."""

    def __init__(self, database: Database, ids: Ids, *, clock: Clock) -> None:
        self._database = database
        self._ids = ids
        self._clock = clock
        self._known: OrderedDict[bytes, Principal] = OrderedDict()
        self._revoked: set[str] = set()
        self._forgotten = 0
        self._lock = Lock()

    def create_key(self, role: Role, store_id: str | None = None) -> tuple[KeyRow, str]:
        """A new key and its text `pk_<role>_<id>_<secret>`, which is never shown again.

        Raises Invalid for a till key without a store, another key with one, or a store that does not exist.
        """
        if role not in KEY_ROLES:
            raise Invalid(f"a key cannot have the role {role}; it can be one of {', '.join(KEY_ROLES)}")
        if (role is Role.TILL) != (store_id is not None):
            raise Invalid("a till key needs the store that it is bound to, and no other key takes one")
        number = int.from_bytes(self._ids.secret(5), "big")
        key_id = "".join(_KEY_ID_ALPHABET[(number >> 5 * place) & 31] for place in range(_KEY_ID_LENGTH))
        text = f"pk_{role}_{key_id}_{_base64(self._ids.secret(_SECRET_BYTES))}"
        row = KeyRow(key_id, role, store_id, created_at=self._clock.now(), revoked_at=None)

        def add(records: Records) -> None:
            if store_id is not None and not records.catalog.has_store(store_id):
                raise Invalid(f"there is no store {store_id!r}; `m2s stores list` shows those that exist")
            records.access.add_key(row, secret_hash(text))

        self._database.write(add)
        return row, text

    def list(self) -> list[KeyRow]:
        """Every key, revoked ones included."""
        with self._database.read() as records:
            return records.access.keys()

    def revoke(self, key_id: str) -> None:
        """Ends a key at once; raises NotFound when there is no such live key."""
        now = self._clock.now()
        if not self._database.write(lambda records: records.access.revoke_key(key_id, at=now)):
            raise NotFound(f"there is no live key {key_id!r}; `m2s keys list` shows those that exist")
        with self._lock:
            self._revoked.add(key_id)
            for hashed in [known for known, caller in self._known.items() if caller.key_id == key_id]:
                del self._known[hashed]

    def known(self, text: str) -> Principal | None:
        """The caller of a key or token that was seen before, without asking the database; None when unsure."""
        return self._known.get(secret_hash(text))

    def authenticate(self, text: str) -> Principal:
        """The caller who shows a key or device token; raises Unauthenticated for anything else."""
        if not (_KEY_TEXT.fullmatch(text) or _TOKEN_TEXT.fullmatch(text)):
            raise Unauthenticated(_NOT_LIVE)
        hashed = secret_hash(text)
        caller = self._known.get(hashed)
        if caller is not None:
            return caller
        forgotten = self._forgotten
        caller = self._look_up(hashed)
        with self._lock:
            if caller.key_id in self._revoked:
                raise Unauthenticated(_NOT_LIVE)
            # What was read before a device moved may be how it was before.
            if forgotten == self._forgotten:
                self._known[hashed] = caller
            if len(self._known) > _CACHED_AT_MOST:
                self._known.popitem(last=False)
        return caller

    def forget_device(self, device_id: str) -> None:
        """Looks a device up again at its next call, because it has got another shopper."""
        self.forget_devices((device_id,))

    def forget_devices(self, device_ids: Collection[str]) -> None:
        """As `forget_device`, of many at once."""
        with self._lock:
            self._forgotten += 1
            for hashed in [
                known
                for known, caller in self._known.items()
                if caller.device and caller.device.id in device_ids
            ]:
                del self._known[hashed]

    def _look_up(self, hashed: bytes) -> Principal:
        with self._database.read() as records:
            key = records.access.key_by_hash(hashed)
            if key is not None:
                if key.revoked_at is not None:
                    raise Unauthenticated(_NOT_LIVE)
                return Principal(Role(key.role), key=key)
            device = records.devices.device_by_token(hashed)
        if device is None:
            raise Unauthenticated(_NOT_LIVE)
        return Principal(Role.DEVICE, device=device)


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
