"""Where are API keys kept, and the answers that an Idempotency-Key replays?"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from m2s.adapters.storage.statements import columns, values
from m2s.adapters.storage.tables import idempotency, keys
from m2s.app.rows import AnswerRow, KeyRow


class SqlAccess:
    """API keys (their secrets only as hashes), and kept answers."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add_key(self, row: KeyRow, secret_hash: bytes) -> None:
        """Adds a key under the SHA-256 of its secret."""
        self._connection.execute(sa.insert(keys), values(row) | {"secret_hash": secret_hash})

    def key_by_hash(self, secret_hash: bytes) -> KeyRow | None:
        """The key of a secret, revoked or not."""
        query = sa.select(*columns(keys, KeyRow)).where(keys.c.secret_hash == secret_hash)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else KeyRow(*row)

    def keys(self) -> list[KeyRow]:
        """Every key, oldest first."""
        query = sa.select(*columns(keys, KeyRow)).order_by(keys.c.created_at, keys.c.id)
        return [KeyRow(*row) for row in self._connection.execute(query)]

    def revoke_key(self, key_id: str, *, at: datetime) -> bool:
        """False when there is no such live key."""
        change = sa.update(keys).where(keys.c.id == key_id, keys.c.revoked_at.is_(None))
        return self._connection.execute(change.values(revoked_at=at)).rowcount == 1

    def answer(self, key_id: str, idempotency_key: str) -> AnswerRow | None:
        """The first answer given to this key under this Idempotency-Key."""
        query = sa.select(*columns(idempotency, AnswerRow)).where(
            idempotency.c.key_id == key_id, idempotency.c.idempotency_key == idempotency_key
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else AnswerRow(*row)

    def keep_answer(self, key_id: str, idempotency_key: str, *, answer: AnswerRow, at: datetime) -> None:
        """Keeps an answer; where one is kept already, that one stays."""
        kept = insert(idempotency).on_conflict_do_nothing()
        self._connection.execute(
            kept, values(answer) | {"key_id": key_id, "idempotency_key": idempotency_key, "at": at}
        )

    def forget_answers(self, before: datetime) -> None:
        """Drops answers that were kept before an instant."""
        self._connection.execute(sa.delete(idempotency).where(idempotency.c.at < before))
