"""What does a case look like by default? A push in Paris, on a Tuesday morning, that nothing forbids."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from campaigns.audience import Audience, Fact, Predicate
from campaigns.facts import Candidate, Occasion, Policy, PressureRule, ShopperFacts, StoreFacts
from campaigns.model import (
    Budget,
    Campaign,
    Channel,
    CouponTerms,
    Holidays,
    Money,
    Near,
    Offer,
    Rate,
    StoreSelector,
    Texts,
    When,
)
from tests.changed import replace

NOW = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
"""Tuesday 2026-11-03, 09:00 in Paris."""

OFFER = Offer(
    id="warm-croissant",
    trigger=Near("vicinity"),
    channels=(Channel.PUSH, Channel.SMS),
    message={
        Channel.PUSH: Texts(body={"fr": "Encore chaud", "en": "Still warm"}),
        Channel.SMS: Texts(body={"fr": "Croissant"}),
    },
    coupon=CouponTerms(value=Money(Decimal("1.00"), "EUR"), min_basket=None, expires=timedelta(days=1)),
)
CAMPAIGN = Campaign(
    id="croissant-november",
    name="Croissants of November",
    since=date(2026, 11, 1),
    until=date(2026, 11, 30),
    timezone=None,
    stores=StoreSelector(all=True),
    holdout=0.0,
    attribution_window=timedelta(days=7),
    offers=(OFFER,),
)
STORE = StoreFacts(
    store_id="bakery-1",
    name="Boulangerie du Port",
    brand=None,
    address=None,
    phone=None,
    timezone="Europe/Paris",
    country="FR",
    subdivision=None,
    is_open=True,
    closes_at=datetime(2026, 11, 3, 18, 0, tzinfo=UTC),
    last_closing_at=datetime(2026, 11, 3, 18, 0, tzinfo=UTC),
)
OCCASION = Occasion(
    key="near:bakery-1:1", shopper_id="alice", device_id="dev-1", trigger="near", at=NOW, scheduled=False
)
CANDIDATE = Candidate(
    campaign=CAMPAIGN,
    offer=OFFER,
    offer_version="v1",
    salt="s1",
    paused=False,
    occasion=OCCASION,
    store=STORE,
)
SHOPPER = ShopperFacts(
    shopper_id="alice",
    language="fr",
    timezone=None,
    country=None,
    location_consent=True,
    consents=frozenset({Channel.PUSH, Channel.SMS}),
    reachable=frozenset({Channel.PUSH, Channel.SMS}),
    past=(),
    inside_store_ids=frozenset(),
    left_at={},
    arms={},
)
DAY = timedelta(days=1)
ASKING = replace(
    CANDIDATE,
    campaign=replace(CAMPAIGN, budget=Budget(messages=10)),
    offer=replace(
        OFFER,
        when=When(holidays=Holidays.SKIP),
        audience=Audience((Predicate(Fact.VISITS, at_most=0, within=7 * DAY),)),
        store_pace=Rate(20, timedelta(hours=1)),
        coupon=CouponTerms(Money(Decimal("1.00"), "EUR"), min_basket=None, expires=DAY, stock=5),
    ),
)
"""The usual case of an offer that asks for everything that it can."""
POLICY = Policy(
    pressure=tuple(map(PressureRule, (Rate(1, DAY), Rate(2, 7 * DAY), Rate(6, 30 * DAY)))),
    universal_holdout=0.0,
    universal_salt="u1",
)
