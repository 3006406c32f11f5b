"""Is a coupon good exactly once, at its own store, within its terms, and is every retry answered alike?"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from campaigns.coupon import RANDOM_BYTES, make_code
from m2s.app.redeem import Redeem
from m2s.app.rows import KeyRow
from m2s.app.wallet import wallet
from m2s.core.base.errors import Conflict, Forbidden, Invalid, M2sError, NotFound
from tests.app.delivering import worker
from tests.app.world import CHURCH, PORT, Phone, World

ROUNDS, TILLS = 200, 50


@pytest.fixture
def redeem(world: World) -> Redeem:
    return Redeem(world.database, world.clock, ids=world.ids, catalog=lambda: world.catalog)


@pytest.fixture
def code(world: World) -> str:
    return world.coupon_of(world.decided(world.shopper("ann"))).code


@pytest.fixture(scope="module")
def tills() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(TILLS) as threads:
        yield threads


def use(
    redeem: Redeem,
    key: KeyRow,
    code: str,
    *,
    store_id: str = PORT,
    basket_id: str | None = "b-1",
    amount: str | None = "12.50",
    currency: str | None = "EUR",
    idempotency_key: str | None = None,
    body_hash: bytes = b"body",
) -> dict[str, Any]:
    return redeem.redeem(
        key,
        code,
        store_id=store_id,
        basket_id=basket_id,
        amount=None if amount is None else Decimal(amount),
        currency=currency,
        idempotency_key=idempotency_key,
        body_hash=body_hash,
    )


def failure(kind: type[M2sError], redeem: Redeem, key: KeyRow, code: str, **rest: Any) -> M2sError:
    with pytest.raises(kind) as caught:
        use(redeem, key, code, **rest)
    return caught.value


def test_a_coupon_is_redeemed_once_and_the_second_use_hears_when_and_where_the_first_was(
    world: World, redeem: Redeem, code: str
) -> None:
    first = use(redeem, world.till(), code)
    assert first == {
        "redemption_id": first["redemption_id"],
        "code": code,
        "store_id": PORT,
        "campaign_id": "morning",
        "offer_id": "warm",
        "value": "1.00",
        "currency": "EUR",
        "basket_id": "b-1",
        "amount": "12.50",
        "redeemed_at": "2026-11-03T09:00:00.000Z",
        "voided_at": None,
    }
    world.clock.advance(timedelta(minutes=3))
    second = failure(Conflict, redeem, world.till(), code)
    assert second.code == "already_redeemed"
    assert "2026-11-03T09:00:00.000Z" in second.detail
    assert PORT in second.detail


def test_a_code_may_be_typed_in_small_letters_with_spaces(world: World, redeem: Redeem, code: str) -> None:
    assert use(redeem, world.till(), code.lower().replace("-", " "))["code"] == code


def test_a_misread_code_is_invalid_and_a_well_formed_unknown_one_is_not_found(
    world: World, redeem: Redeem, code: str
) -> None:
    swapped = code[:-1] + ("2" if code[-1] != "2" else "3")
    assert failure(Invalid, redeem, world.till(), swapped).code == "coupon_code"
    failure(NotFound, redeem, world.till(), make_code(world.ids.secret(RANDOM_BYTES)))


def test_a_till_redeems_for_its_own_store_only(world: World, redeem: Redeem, code: str) -> None:
    failure(Forbidden, redeem, world.till(CHURCH), code)
    assert failure(Invalid, redeem, world.till(CHURCH), code, store_id=CHURCH).code == "wrong_store"
    assert use(redeem, world.till(None), code)["store_id"] == PORT


def test_an_expired_coupon_is_refused_from_the_instant_it_expires(world: World, redeem: Redeem) -> None:
    early, late = (world.coupon_of(world.decided(world.shopper(name))).code for name in ("ann", "bea"))
    world.clock.advance(timedelta(days=1) - timedelta(milliseconds=1))
    use(redeem, world.till(), early)
    world.clock.advance(timedelta(milliseconds=1))
    assert failure(Invalid, redeem, world.till(), late).code == "expired"
    assert failure(Conflict, redeem, world.till(), early).code == "already_redeemed"


@pytest.mark.parametrize(
    ("terms", "problem"),
    [
        ({"amount": "4.99"}, "basket_too_small"),
        ({"currency": "CHF"}, "currency_mismatch"),
        ({"amount": "-1"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "Infinity"}, "amount"),
    ],
)
def test_a_basket_that_breaks_the_terms_is_refused_and_leaves_the_coupon_good(
    world: World, redeem: Redeem, code: str, terms: dict[str, str], problem: str
) -> None:
    assert failure(Invalid, redeem, world.till(), code, **terms).code == problem
    assert redeem.coupon(code)["state"] == "issued"


def test_the_smallest_basket_is_accepted(world: World, redeem: Redeem, code: str) -> None:
    assert use(redeem, world.till(), code, amount="5.00")["amount"] == "5.00"


def test_a_coupon_that_asks_for_a_basket_needs_to_be_told_its_amount(
    world: World, redeem: Redeem, code: str
) -> None:
    assert failure(Invalid, redeem, world.till(), code, amount=None, currency=None).code == "amount_missing"
    assert redeem.coupon(code)["state"] == "issued"


def test_the_same_idempotency_key_replays_the_first_answer(world: World, redeem: Redeem, code: str) -> None:
    first = use(redeem, world.till(), code, idempotency_key="k")
    world.clock.advance(timedelta(days=2))
    assert use(redeem, world.till(), code, idempotency_key="k") == first
    failure(Conflict, redeem, world.till(), code, idempotency_key="other")


def test_a_refused_second_use_is_replayed_even_when_the_coupon_is_free_again(
    world: World, redeem: Redeem, code: str
) -> None:
    first = use(redeem, world.till(), code)
    refused = failure(Conflict, redeem, world.till(), code, idempotency_key="k")
    redeem.void(world.till(), first["redemption_id"])
    replayed = failure(Conflict, redeem, world.till(), code, idempotency_key="k")
    assert (replayed.code, replayed.detail, replayed.problems) == (
        refused.code,
        refused.detail,
        refused.problems,
    )
    assert redeem.coupon(code)["state"] == "issued"


def test_another_body_under_the_same_idempotency_key_is_refused(
    world: World, redeem: Redeem, code: str
) -> None:
    use(redeem, world.till(), code, idempotency_key="k")
    reused = failure(Invalid, redeem, world.till(), code, idempotency_key="k", body_hash=b"other")
    assert reused.code == "idempotency_key_reused"


def test_what_was_not_valid_is_not_kept_so_that_it_can_be_put_right(
    world: World, redeem: Redeem, code: str
) -> None:
    failure(Invalid, redeem, world.till(), code, amount="1", idempotency_key="k", body_hash=b"1")
    assert use(redeem, world.till(), code, idempotency_key="k", body_hash=b"2")["code"] == code


def test_two_tills_may_use_the_same_idempotency_key(world: World, redeem: Redeem) -> None:
    codes = [world.coupon_of(world.decided(world.shopper(name))).code for name in ("ann", "bea")]
    answers = [
        use(redeem, world.till(key_id=key_id), code, idempotency_key="k")
        for key_id, code in zip(("a", "b"), codes, strict=True)
    ]
    assert [answer["code"] for answer in answers] == codes


def test_void_gives_the_coupon_back_and_twice_is_the_same_as_once(
    world: World, redeem: Redeem, code: str
) -> None:
    first = use(redeem, world.till(), code)
    world.clock.advance(timedelta(minutes=1))
    voided = redeem.void(world.till(), first["redemption_id"])
    assert voided == {**first, "voided_at": "2026-11-03T09:01:00.000Z"}
    world.clock.advance(timedelta(minutes=1))
    again = use(redeem, world.till(), code)
    assert redeem.void(world.till(), first["redemption_id"]) == voided
    assert redeem.coupon(code)["redemption_id"] == again["redemption_id"]


def test_a_redemption_proves_the_stay_it_falls_into_until_it_is_taken_back(
    world: World, redeem: Redeem
) -> None:
    shopper_id = world.shopper("ann")
    code = world.coupon_of(world.decided(shopper_id)).code
    world.seen(shopper_id, PORT, world.clock.now())
    till = world.till()

    def kinds() -> list[tuple[Any, ...]]:
        return world.rows("SELECT kind, confidence FROM visits")

    redemption = use(redeem, till, code)
    assert kinds() == [("visit", "high")]
    redeem.void(till, redemption["redemption_id"])
    assert kinds() == [("passer_by", "low")]


def test_void_is_for_the_store_of_the_redemption_only(world: World, redeem: Redeem, code: str) -> None:
    first = use(redeem, world.till(), code)
    with pytest.raises(Forbidden):
        redeem.void(world.till(CHURCH), first["redemption_id"])
    with pytest.raises(NotFound):
        redeem.void(world.till(), "red_none")
    assert redeem.coupon(code)["state"] == "redeemed"


def test_a_coupon_that_expired_meanwhile_is_not_given_back(world: World, redeem: Redeem, code: str) -> None:
    first = use(redeem, world.till(), code)
    world.clock.advance(timedelta(days=1))
    assert redeem.void(world.till(), first["redemption_id"])["voided_at"] is not None
    assert redeem.coupon(code)["state"] == "expired"
    assert failure(Invalid, redeem, world.till(), code).code == "expired"


def test_a_coupon_tells_its_state_and_shoppers_see_only_their_own(
    world: World, redeem: Redeem, code: str
) -> None:
    assert redeem.coupon(code, of_shopper="shp_ann")["state"] == "issued"
    with pytest.raises(NotFound):
        redeem.coupon(code, of_shopper="shp_bea")
    world.clock.advance(timedelta(days=1))
    assert redeem.coupon(code)["state"] == "expired"


def test_200_rounds_of_50_tills_at_once_give_exactly_200_redemptions(
    world: World, redeem: Redeem, tills: ThreadPoolExecutor
) -> None:
    def attempt(code: str) -> int:
        try:
            use(redeem, world.till(), code)
        except Conflict:
            return 0
        return 1

    shopper = world.shopper("ann")
    won = []
    for _ in range(ROUNDS):
        code = world.coupon_of(world.decided(shopper)).code
        won.append(sum(tills.map(attempt, [code] * TILLS)))
    assert won == [1] * ROUNDS
    with world.database.read() as records:
        counts = records.reports.counts(
            world.clock.now() - timedelta(days=1), world.clock.now() + timedelta(days=1)
        )
    assert sum(row.many for row in counts if row.what == "redemption") == ROUNDS


def test_the_wallet_shows_what_went_out_and_holds_with_its_coupon(world: World, redeem: Redeem) -> None:
    shopper = world.shopper("ann")
    message = world.decided(shopper)
    with world.database.read() as records:
        device = records.devices.device("dev_ann")
    assert device is not None
    assert wallet(world.database, device, now=world.clock.now()) == {"offers": []}
    worker(world, push=Phone()).drain()
    (offer,) = wallet(world.database, device, now=world.clock.now())["offers"]
    assert (offer["message_id"], offer["decision_id"], offer["store_id"]) == (
        message.id,
        message.decision_id,
        PORT,
    )
    assert offer["coupon"]["code"] == world.coupon_of(message).code
    world.clock.advance(timedelta(hours=2))
    (still,) = wallet(world.database, device, now=world.clock.now())["offers"]
    assert still["coupon"]["state"] == "issued"
    use(redeem, world.till(), offer["coupon"]["code"])
    assert wallet(world.database, device, now=world.clock.now()) == {"offers": []}
