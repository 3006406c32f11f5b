from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.decision import SPREAD, decide, deferral, deferred_until, recheck
from campaigns.eligibility import CHECKS
from campaigns.facts import Candidate, Decision, Outcome, PastOffer, ShopperFacts, Spent
from campaigns.laws import PROFILES, law_of
from campaigns.model import Channel, CouponTerms, Hours, Money, Rate, When
from campaigns.sendlaw import allowed
from tests.campaigns.cases import CAMPAIGN, CANDIDATE, DAY, NOW, OCCASION, OFFER, POLICY, SHOPPER
from tests.changed import replace

ORDER = [check.__name__ for check in CHECKS]


def candidate(
    offer_id: str, *, priority: int = 50, distance_m: float | None = None, paused: bool = False
) -> Candidate:
    offer = replace(OFFER, id=offer_id, priority=priority)
    return replace(
        CANDIDATE, offer=offer, paused=paused, occasion=replace(OCCASION, key=offer_id, distance_m=distance_m)
    )


def outcomes(
    *candidates: Candidate, shopper: ShopperFacts = SHOPPER
) -> dict[str, tuple[Outcome, str | None]]:
    decisions = decide(candidates, shopper, now=NOW, policy=POLICY)
    return {decision.candidate.offer.id: (decision.outcome, decision.reason) for decision in decisions}


SEND = (Outcome.SEND, None)
LOST = (Outcome.SUPPRESSED, "arbitration")


def test_a_send_has_passed_every_check_in_order_then_arbitration_and_holdout() -> None:
    [decision] = decide([CANDIDATE], SHOPPER, now=NOW, policy=replace(POLICY, universal_holdout=0.0001))
    assert [check.name for check in decision.trace] == [
        *("offer_active", "fresh", "store_open", "consent", "channel", "not_inside"),
        *("per_shopper", "pressure", "send_law", "arbitration", "universal_holdout", "holdout"),
    ]
    assert all(check.passed for check in decision.trace)


def test_the_trace_ends_at_the_first_check_that_fails() -> None:
    shopper = replace(SHOPPER, consents=frozenset(), past=(PastOffer(NOW, "other", "other"),))
    [decision] = decide([CANDIDATE], shopper, now=NOW, policy=POLICY)
    assert [check.passed for check in decision.trace] == [True, True, True, False]
    assert decision.reason == decision.trace[-1].name == "consent"
    assert decision.arms == {}


def test_the_highest_priority_wins_then_the_nearest_store_then_the_ids() -> None:
    far, near = candidate("far", distance_m=300.0), candidate("near", distance_m=20.0)
    first = candidate("first", priority=51)
    assert outcomes(far, near, first) == {"far": LOST, "near": LOST, "first": SEND}
    assert outcomes(far, near) == {"far": LOST, "near": SEND}
    assert outcomes(candidate("unplaced"), far) == {"unplaced": LOST, "far": SEND}
    assert outcomes(candidate("b"), candidate("a")) == {"b": LOST, "a": SEND}


def test_an_offer_that_may_not_be_made_takes_no_part_in_arbitration() -> None:
    paused = candidate("paused", priority=99, paused=True)
    assert outcomes(paused, candidate("other")) == {
        "paused": (Outcome.SUPPRESSED, "offer_active"),
        "other": SEND,
    }


def test_of_equal_offers_the_one_worth_most_wins_then_the_store_that_sent_least_then_the_most_stock() -> None:
    def at(store_id: str, *, worth: str = "1.00", sent: int = 0, issued: int = 0) -> Candidate:
        coupon = CouponTerms(Money(Decimal(worth), "EUR"), None, DAY, stock=100)
        return replace(
            candidate(store_id, distance_m=50.0),
            offer=replace(OFFER, id=store_id, coupon=coupon),
            store=replace(CANDIDATE.store, store_id=store_id),
            spent=Spent(at_store=sent, stock=issued),
        )

    dear, poor = at("z-dear", worth="2.00", sent=9, issued=90), at("a-poor", worth="1.00")
    assert outcomes(poor, dear)["z-dear"] == SEND
    busy, idle = at("a-busy", sent=5, issued=1), at("z-idle", sent=4, issued=90)
    assert outcomes(busy, idle)["z-idle"] == SEND
    few, many = at("a-few", issued=90), at("z-many", issued=10)
    assert outcomes(few, many)["z-many"] == SEND
    lost, _ = decide([busy, idle], SHOPPER, now=NOW, policy=POLICY)
    assert str(lost.trace[-1].value).endswith(
        "(priority 50, worth €1.00, 5 sent at this store, 99 coupons left, 50 m away)"
    )


def test_the_loser_of_an_arbitration_learns_who_won() -> None:
    near = candidate("near", distance_m=20.4)
    lost, _ = decide([candidate("far", distance_m=300.0), near], SHOPPER, now=NOW, policy=POLICY)
    check = lost.trace[-1]
    assert check.value == "croissant-november/far at bakery-1 (priority 50, worth €1.00, 300 m away)"
    assert check.limit == "croissant-november/near at bakery-1 (priority 50, worth €1.00, 20 m away)"


def test_a_ghost_wins_its_arbitration_so_that_both_arms_see_the_same_offers() -> None:
    held_out = replace(CANDIDATE, campaign=replace(CAMPAIGN, holdout=1.0), offer=replace(OFFER, priority=60))
    ghost, lost = decide([held_out, candidate("other")], SHOPPER, now=NOW, policy=POLICY)
    assert (ghost.outcome, lost.outcome, lost.reason) == (Outcome.GHOST, *LOST)


def test_the_same_candidate_twice_is_sent_once() -> None:
    decisions = decide([CANDIDATE, CANDIDATE], SHOPPER, now=NOW, policy=POLICY)
    assert [decision.outcome for decision in decisions] == [Outcome.SEND, Outcome.SUPPRESSED]


def test_no_candidates_give_no_decisions_and_a_stranger_is_refused() -> None:
    assert decide([], SHOPPER, now=NOW, policy=POLICY) == ()
    with pytest.raises(ValueError, match="the facts are of bob: decide for one shopper at a time"):
        decide([CANDIDATE], replace(SHOPPER, shopper_id="bob"), now=NOW, policy=POLICY)


@pytest.mark.parametrize(
    ("language", "consents", "expected"),
    [
        ("en", {Channel.PUSH}, "en"),
        ("en-GB", {Channel.PUSH}, "en"),
        ("de", {Channel.PUSH}, "fr"),
        (None, {Channel.PUSH}, "fr"),
        ("en", {Channel.SMS}, "fr"),
    ],
)
def test_the_language_is_the_shoppers_where_the_channel_has_it(
    language: str | None, consents: set[Channel], expected: str
) -> None:
    shopper = replace(SHOPPER, language=language, consents=frozenset(consents))
    [decision] = decide([CANDIDATE], shopper, now=NOW, policy=POLICY)
    assert decision.language == expected


ids = st.sampled_from(["a", "b", "c", "d", "e"])
drawn_candidates = st.lists(
    st.builds(
        candidate,
        ids,
        priority=st.integers(49, 51),
        distance_m=st.none() | st.sampled_from([10.0, 20.0]),
        paused=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda drawn: drawn.offer.id,
)


@given(drawn=drawn_candidates, data=st.data(), holdout=st.sampled_from([0.0, 0.5, 1.0]))
def test_the_order_of_the_candidates_never_changes_a_decision(
    drawn: list[Candidate], data: st.DataObject, holdout: float
) -> None:
    policy = replace(POLICY, universal_holdout=holdout)
    shuffled = data.draw(st.permutations(drawn))
    by_key = {each.candidate.occasion.key: each for each in decide(drawn, SHOPPER, now=NOW, policy=policy)}
    again = decide(shuffled, SHOPPER, now=NOW, policy=policy)
    assert [each.candidate for each in again] == shuffled
    assert {each.candidate.occasion.key: each for each in again} == by_key


@given(drawn=drawn_candidates, holdout=st.sampled_from([0.0, 0.5, 1.0]))
def test_at_most_one_offer_is_made_and_one_is_whenever_any_may_be(
    drawn: list[Candidate], holdout: float
) -> None:
    policy = replace(POLICY, universal_holdout=holdout)
    made = [
        decision
        for decision in decide(drawn, SHOPPER, now=NOW, policy=policy)
        if decision.outcome is not Outcome.SUPPRESSED
    ]
    assert len(made) == any(not each.paused for each in drawn)


@given(
    gaps_min=st.lists(st.integers(0, 2 * 24 * 60), max_size=40),
    holdout=st.sampled_from([0.0, 0.5, 1.0]),
    rate=st.builds(Rate, st.integers(0, 3), st.integers(1, 96).map(lambda hours: timedelta(hours=hours))),
)
def test_sends_and_ghosts_together_stay_within_every_rate(
    gaps_min: list[int], holdout: float, rate: Rate
) -> None:
    shopper, now = SHOPPER, NOW
    policy = replace(POLICY, universal_holdout=holdout)
    offer = replace(OFFER, per_shopper=rate)
    for gap_min in gaps_min:
        now += timedelta(minutes=gap_min)
        occasion = replace(OCCASION, at=now)
        endless = replace(CANDIDATE, campaign=replace(CAMPAIGN, until=None), offer=offer, occasion=occasion)
        [decision] = decide([endless], shopper, now=now, policy=policy)
        if decision.outcome is not Outcome.SUPPRESSED:
            shopper = replace(shopper, past=(*shopper.past, PastOffer(now, CAMPAIGN.id, OFFER.id)))
    instants = [offered.at for offered in shopper.past]
    for limit in (*(rule.rate for rule in policy.pressure), rate):
        assert all(sum(end - limit.window < at <= end for at in instants) <= limit.count for end in instants)


@given(salt=st.text(max_size=8), holdout=st.floats(0, 1))
def test_being_held_out_changes_nothing_but_the_outcome(salt: str, holdout: float) -> None:
    def decided(share: float) -> Decision:
        given_ = replace(CANDIDATE, salt=salt, campaign=replace(CAMPAIGN, holdout=share))
        [decision] = decide([given_], SHOPPER, now=NOW, policy=POLICY)
        return decision

    sent, either = decided(0.0), decided(holdout)
    assert sent.outcome is Outcome.SEND
    assert (either.outcome is Outcome.GHOST) == (either.arms[CAMPAIGN.id] == "control")
    assert either.trace[:-1] == sent.trace[:-1]
    assert (either.channel, either.language, either.valid_until) == (
        *(sent.channel, sent.language),
        sent.valid_until,
    )


def scheduled(due: str) -> Candidate:
    at = datetime.fromisoformat(due)
    return replace(
        CANDIDATE,
        offer=replace(OFFER, valid_for=timedelta(hours=13)),
        occasion=replace(OCCASION, at=at, scheduled=True),
    )


@pytest.mark.parametrize(
    ("due", "now", "opening"),
    [
        ("2026-11-02T19:00Z", "2026-11-02T19:00Z", "2026-11-03T07:30Z"),
        ("2026-11-02T18:59Z", "2026-11-02T19:00Z", "2026-11-03T07:30Z"),
        ("2026-11-02T18:30Z", "2026-11-02T19:00Z", None),
        ("2026-11-03T09:00Z", "2026-11-03T09:00Z", None),
        ("2026-11-07T19:00Z", "2026-11-07T19:00Z", None),
    ],
)
def test_a_scheduled_send_waits_for_the_lawful_opening_if_valid_then(
    due: str, now: str, opening: str | None
) -> None:
    found = deferral(scheduled(due), SHOPPER, now=datetime.fromisoformat(now), policy=POLICY)
    assert (found and found.opening) == (opening and datetime.fromisoformat(opening))
    if found is not None:
        waited = replace(scheduled(due), waited_for=found.opening)
        [decision] = decide([waited], SHOPPER, now=found.at, policy=POLICY)
        assert decision.outcome is Outcome.SEND
        first = decision.trace[0]
        assert (first.name, first.limit) == ("deferred", "tue 2026-11-03 08:30 Europe/Paris")


def test_what_waits_for_an_opening_leaves_evenly_over_half_an_hour() -> None:
    due = scheduled("2026-11-02T20:00Z")
    opening = datetime(2026, 11, 3, 7, 30, tzinfo=UTC)
    after = []
    for number in range(600):
        shopper = replace(SHOPPER, shopper_id=f"shp_{number}")
        one = replace(due, occasion=replace(due.occasion, shopper_id=shopper.shopper_id))
        found = [deferral(one, shopper, now=due.occasion.at, policy=POLICY) for _ in range(2)]
        assert found[0] is not None
        assert found[0] == found[1]
        after.append(found[0].at - opening)
    assert min(after) >= timedelta(0)
    assert max(after) < SPREAD
    tenths = [
        sum(tenth * SPREAD / 10 <= one < (tenth + 1) * SPREAD / 10 for one in after) for tenth in range(10)
    ]
    assert all(35 <= many <= 90 for many in tenths)


@pytest.mark.parametrize(
    ("valid_for_min", "hours", "latest_min"),
    [(12 * 60 + 30, (), 30), (11 * 60 + 40, (), 5), (14 * 60, (Hours(0, 8 * 60 + 40),), 10)],
)
def test_nobody_waits_past_half_of_what_is_left_or_the_hours_of_the_offer(
    valid_for_min: int, hours: tuple[Hours, ...], latest_min: int
) -> None:
    due = scheduled("2026-11-02T20:00Z")
    offer = replace(due.offer, valid_for=timedelta(minutes=valid_for_min), when=When(hours=hours))
    latest = datetime(2026, 11, 3, 7, 30, tzinfo=UTC) + timedelta(minutes=latest_min)
    found = []
    for number in range(100):
        shopper = replace(SHOPPER, shopper_id=f"shp_{number}")
        one = replace(due, offer=offer, occasion=replace(due.occasion, shopper_id=shopper.shopper_id))
        waits = deferral(one, shopper, now=due.occasion.at, policy=POLICY)
        assert waits is not None
        found.append(waits.at)
    assert latest - timedelta(minutes=latest_min / 2) < max(found) < latest


PLACES = [
    ("Europe/Paris", "FR"),
    ("America/Guadeloupe", "GP"),
    ("Europe/London", "GB"),
    ("America/New_York", "US"),
    ("Australia/Lord_Howe", "AU"),
    ("America/Santiago", "CL"),
]


@given(
    law=st.sampled_from(sorted(PROFILES)),
    place=st.sampled_from(PLACES),
    minute=st.integers(0, 366 * 24 * 60),
    valid_for_min=st.integers(1, 4 * 24 * 60),
    number=st.integers(0, 99),
)
def test_what_waited_leaves_while_it_is_lawful_and_valid(
    law: str, place: tuple[str, str], minute: int, valid_for_min: int, number: int
) -> None:
    tz, country = place
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    valid_for = timedelta(minutes=valid_for_min)
    shopper = replace(SHOPPER, shopper_id=f"shp_{number}", timezone=tz, country=country)
    due = replace(
        CANDIDATE,
        offer=replace(OFFER, valid_for=valid_for),
        occasion=replace(OCCASION, at=at, scheduled=True, shopper_id=shopper.shopper_id),
    )
    found = deferral(due, shopper, now=at, policy=replace(POLICY, default_law=law))
    if found is None:
        return
    assert at < found.opening <= found.at < min(at + valid_for, found.opening + SPREAD)
    name = law_of(country, default=law).name
    assert allowed(name, found.at, tz=tz, country=country).allowed


def test_a_proximity_message_never_waits() -> None:
    night = datetime(2026, 11, 3, 2, 0, tzinfo=UTC)
    later = night + timedelta(days=1)
    assert deferred_until(CANDIDATE, SHOPPER, now=night, policy=POLICY, valid_until=later) is None


def test_a_message_that_is_planned_for_later_weighs_on_what_is_decided_before_it_and_not_on_what_leaves() -> (
    None
):
    planned = replace(SHOPPER, past=(PastOffer(NOW + timedelta(minutes=20), "other", "other"),))
    [decision] = decide([CANDIDATE], planned, now=NOW, policy=POLICY)
    assert decision.reason == "pressure"
    valid_until = NOW + timedelta(minutes=45)
    held = recheck(CANDIDATE, planned, now=NOW, policy=POLICY, valid_until=valid_until, channel=Channel.PUSH)
    assert held is None


@pytest.mark.parametrize(
    ("shopper", "later", "failed"),
    [
        (SHOPPER, timedelta(minutes=44), None),
        (SHOPPER, timedelta(minutes=45), "valid"),
        (replace(SHOPPER, location_consent=False), timedelta(0), "consent"),
        (replace(SHOPPER, consents=frozenset({Channel.SMS})), timedelta(0), "consent"),
        (replace(SHOPPER, reachable=frozenset({Channel.SMS})), timedelta(0), "channel"),
        (replace(SHOPPER, past=(PastOffer(NOW, "o", "o"),)), timedelta(minutes=1), "pressure"),
    ],
)
def test_the_second_look_finds_what_changed_since_the_decision(
    shopper: ShopperFacts, later: timedelta, failed: str | None
) -> None:
    [decision] = decide([CANDIDATE], SHOPPER, now=NOW, policy=POLICY)
    check = recheck(
        CANDIDATE,
        shopper,
        now=NOW + later,
        policy=POLICY,
        valid_until=decision.valid_until,
        channel=Channel.PUSH,
    )
    assert (check and check.name) == failed


def test_the_second_look_asks_the_law_at_its_own_time() -> None:
    late = datetime(2026, 11, 3, 19, 0, tzinfo=UTC)
    check = recheck(CANDIDATE, SHOPPER, now=late, policy=POLICY, valid_until=late + DAY, channel=Channel.SMS)
    assert check is not None
    assert (check.name, check.value) == ("send_law", "tue 2026-11-03 20:00 Europe/Paris")
