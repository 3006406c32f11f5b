"""Is a message held by one worker at a time, and a coupon redeemed once, whoever races?"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime, timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa

from m2s.adapters.storage.database import SqlDatabase
from m2s.adapters.storage.tables import WAITING, attempts, messages
from m2s.app.outbox import AttemptRow
from m2s.app.ports import Records
from m2s.app.rows import MessageRow
from m2s.core.delivery.message import NEXT, State
from tests.adapters.storage.samples import COUPON, HOUR, MESSAGE, NOW, REDEMPTION
from tests.changed import replace

SECOND = timedelta(seconds=1)


def add(database: SqlDatabase, *rows: MessageRow) -> None:
    database.write(lambda records: records.messages.add(rows))


def message(number: int, **changes: object) -> MessageRow:
    return replace(MESSAGE, id=f"msg_{number}", decision_id=f"dec_{number}", **changes)  # type: ignore[arg-type]


def claim(database: SqlDatabase, limit: int = 10, leased_until_s: float = 60.0) -> list[MessageRow]:
    return database.write(
        lambda records: records.messages.claim(
            "push", now=NOW, leased_until_s=leased_until_s, limit=limit, most_again=limit
        )
    )


def settle(database: SqlDatabase, row: MessageRow, state: str, reason: str | None = None) -> bool:
    return database.write(
        lambda records: records.messages.settle(row.id, fence=row.fence, state=state, reason=reason, at=NOW)
    )


def kept(database: SqlDatabase) -> dict[str, MessageRow]:
    with database.read() as records:
        return {row.id: row for row in records.messages.of_shopper("shp_1", NOW)}


def test_due_messages_are_claimed_once_those_first_that_expire_first(database: SqlDatabase) -> None:
    add(
        database,
        message(1),
        message(2, valid_until=NOW + HOUR - SECOND),
        message(3, not_before=NOW + SECOND),
        message(4, state="accepted"),
        message(5),
    )
    assert [row.id for row in claim(database, limit=2)] == ["msg_2", "msg_1"]
    second = claim(database)
    assert second == [replace(message(5), state="claimed", fence=1)]
    assert claim(database) == []


def test_two_workers_never_claim_the_same_message(database: SqlDatabase) -> None:
    add(database, *(message(number) for number in range(200)))
    with ThreadPoolExecutor(6) as workers:
        found = [
            row.id for rows in workers.map(lambda _: claim(database, limit=10), range(24)) for row in rows
        ]
    assert len(found) == len(set(found)) == 200


def test_a_message_moves_on_only_while_the_fence_holds(database: SqlDatabase) -> None:
    add(database, message(1))
    (first,) = claim(database)
    assert settle(database, first, "sending")
    assert settle(database, first, "planned", "try again")
    (second,) = claim(database)
    assert second.fence == first.fence + 1
    assert not settle(database, first, "sending")
    assert settle(database, second, "sending")
    assert settle(database, second, "accepted")
    assert kept(database)["msg_1"].state == "accepted"


@pytest.mark.parametrize("before", State)
def test_a_message_moves_on_only_as_its_states_allow(database: SqlDatabase, before: State) -> None:
    """Each state that is settled, from each state that a message can be in."""
    for number, after in enumerate(State):
        add(database, message(number, state=before))
        moved = settle(database, message(number), after)
        assert moved == (after in NEXT[before]), after
        assert kept(database)[f"msg_{number}"].state == (after if moved else before)


def test_a_retry_waits_until_its_time(database: SqlDatabase) -> None:
    add(database, message(1))
    (held,) = claim(database)
    database.write(
        lambda records: records.messages.settle(
            held.id, fence=held.fence, state="planned", reason="busy", at=NOW, not_before=NOW + SECOND
        )
    )
    assert claim(database) == []
    assert kept(database)["msg_1"].not_before == NOW + SECOND


def test_an_ended_lease_gives_claimed_back_and_leaves_sending_unknown(database: SqlDatabase) -> None:
    add(database, *(message(number) for number in range(4)))
    claimed, sending = claim(database, limit=2, leased_until_s=60.0)
    late, _ = claim(database, limit=2, leased_until_s=61.0)
    settle(database, sending, "sending")

    def release(expired_at_s: float | None) -> tuple[int, Mapping[str, int]]:
        return database.write(
            lambda records: records.messages.release_leases(expired_at_s=expired_at_s, at=NOW)
        )

    assert release(59.9) == (0, {})
    assert release(60.0) == (1, {"push": 1})
    assert (kept(database)[claimed.id].state, kept(database)[sending.id].state) == ("planned", "unknown")
    assert not settle(database, claimed, "sending"), "who let the lease end has lost the message"
    assert not settle(database, sending, "accepted")
    assert not settle(database, kept(database)[sending.id], "planned"), "what is unknown is not sent again"
    assert settle(database, late, "sending")
    assert release(None) == (1, {"push": 1})


def test_planned_messages_expire_and_others_do_not(database: SqlDatabase) -> None:
    add(
        database,
        message(1, valid_until=NOW),
        message(2, valid_until=NOW + SECOND),
        message(3, valid_until=NOW, state="accepted"),
        message(4, valid_until=NOW, doubted=True),
    )
    ended = database.write(lambda records: [(row.channel, row.state) for row in records.messages.expire(NOW)])
    assert sorted(ended) == [("push", "expired"), ("push", "unknown_final")]
    assert [row.id for row in claim(database)] == ["msg_2"]


def test_the_wallet_holds_what_is_still_valid_newest_first(database: SqlDatabase) -> None:
    add(
        database,
        message(1),
        message(2, created_at=NOW + SECOND, state="accepted"),
        message(3, valid_until=NOW),
        message(4, shopper_id="shp_2"),
    )
    assert list(kept(database)) == ["msg_2", "msg_1"]
    assert kept(database)["msg_1"] == message(1)


def test_attempts_are_kept_with_what_the_provider_said(database: SqlDatabase) -> None:
    said = AttemptRow("msg_1", "sms", "accepted", "p-1", "ok", NOW)
    database.write(lambda records: records.messages.add_attempts([said]))
    with database.read() as records:
        connection = records.messages._connection  # type: ignore[attr-defined]
        (row,) = connection.execute(sa.select(attempts)).all()
    assert dict(row._mapping) == {"seq": 1} | asdict(said)


def test_claiming_reads_only_what_waits(database: SqlDatabase) -> None:
    query = sa.select(messages.c.id).where(
        sa.text(WAITING), messages.c.state == "planned", messages.c.not_before <= NOW
    )
    with database.read() as records:
        connection = records.messages._connection  # type: ignore[attr-defined]
        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
    assert "ix_messages_waiting" in plan[0].detail


def test_a_coupon_is_redeemed_once_voided_and_redeemed_again(database: SqlDatabase) -> None:
    def at_till(work: Callable[[Records], bool]) -> bool:
        return database.write(work)

    database.write(lambda records: records.coupons.issue([COUPON]))
    code = COUPON.code
    assert at_till(lambda records: records.coupons.redeem(code, redemption_id="red_1", now=NOW))
    assert not at_till(lambda records: records.coupons.redeem(code, redemption_id="red_2", now=NOW))
    assert not at_till(lambda records: records.coupons.redeem("other", redemption_id="red_2", now=NOW))
    with database.read() as records:
        used = replace(COUPON, state="redeemed", redemption_id="red_1")
        assert records.coupons.coupon(code) == used
        assert records.coupons.coupon("other") is None
        assert records.coupons.coupons_of(["dec_1", "dec_2"]) == {"dec_1": used}
    assert not at_till(lambda records: records.coupons.reopen(code, "red_2"))
    assert at_till(lambda records: records.coupons.reopen(code, "red_1"))
    assert at_till(lambda records: records.coupons.redeem(code, redemption_id="red_2", now=NOW))


def test_an_expired_coupon_is_not_redeemed(database: SqlDatabase) -> None:
    database.write(lambda records: records.coupons.issue([COUPON]))

    def redeem(now: datetime) -> bool:
        return database.write(
            lambda records: records.coupons.redeem(COUPON.code, redemption_id="red_1", now=now)
        )

    assert not redeem(COUPON.expires_at)
    assert redeem(COUPON.expires_at - timedelta(milliseconds=1))


def test_redemptions_prove_presence_until_they_are_voided(database: SqlDatabase) -> None:
    def keep(records: Records) -> None:
        records.coupons.add_redemption(REDEMPTION)
        records.coupons.add_redemption(replace(REDEMPTION, id="red_2", at=NOW - HOUR))
        records.coupons.add_redemption(replace(REDEMPTION, id="red_3", store_id="market"))

    database.write(keep)

    def times() -> list[object]:
        with database.read() as records:
            return records.coupons.redemption_times(["shp_1"], NOW - HOUR).get(("shp_1", "bakery"), [])

    assert times() == [NOW - HOUR, NOW]
    voided = [
        database.write(lambda records: records.coupons.void_redemption("red_1", at=NOW + HOUR)) for _ in "12"
    ]
    assert voided == [True, False]
    assert times() == [NOW - HOUR]
    with database.read() as records:
        assert records.coupons.redemption("red_1") == replace(REDEMPTION, voided_at=NOW + HOUR)
        assert records.coupons.redemption("red_9") is None


def test_fifty_tills_at_once_redeem_each_of_two_hundred_coupons_once(database: SqlDatabase) -> None:
    tills, rounds = 50, 200
    coupons = [replace(COUPON, code=f"code {n}", decision_id=f"dec_{n}") for n in range(rounds)]
    database.write(lambda records: records.coupons.issue(coupons))
    together = Barrier(tills)

    def redeem(code: str, number: int) -> bool:
        together.wait(30)
        return database.write(
            lambda records: records.coupons.redeem(code, redemption_id=f"red_{number}", now=NOW)
        )

    def till(number: int) -> list[bool]:
        return [redeem(coupon.code, number) for coupon in coupons]

    with ThreadPoolExecutor(tills) as threads:
        outcomes = list(threads.map(till, range(tills)))
    assert [sum(of_round) for of_round in zip(*outcomes, strict=True)] == [1] * rounds


def test_what_is_due_by_other_channels_is_told_apart(database: SqlDatabase) -> None:
    def due(*but: str) -> bool:
        with database.read() as records:
            return records.messages.due(NOW, but=but)

    assert not due()
    add(database, message(1), message(2, channel="sms", not_before=NOW + SECOND))
    assert (due(), due("push"), due("sms"), due("push", "sms")) == (True, False, True, False)
    add(database, message(3, channel="pigeon"))
    assert due("push", "sms")
    with database.read() as records:
        assert not records.messages.due(NOW - SECOND)
    others = database.write(
        lambda records: records.messages.claim_others(["push", "sms"], now=NOW, leased_until_s=60.0)
    )
    assert [(row.id, row.state, row.fence) for row in others] == [("msg_3", "claimed", 1)]
