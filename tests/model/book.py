"""What ought to be, in plain dicts: whose phone it is, who agreed, what was taken, in force, redeemed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays

from m2s.adapters.runtime.clock import SteppedClock
from m2s.app.rows import KeyRow
from m2s.app.sighting import Sighting
from m2s.core.base.instants import to_ms
from tests.app.town import HARBOUR, ROCK, SPOTS, fence, fix, heard
from tests.model.offers import KIOSK, MAJOR, NORTH_M, PREMISES_M, SCHEDULED

OLDEST_MS, NEWEST_MS = 72 * 3_600_000, 5 * 60_000
AWAY_M = 2_000
ZONE = "Europe/Monaco"
_ANSWERS_KEPT = timedelta(days=7)
PHONES = ("+33612345678", "+33612345679", "+37761234567")
COUNTRIES = {"+336": "FR", "+377": "MC"}
FENCES = ("enter", "exit", "dwell")
AT_SPOT = {"driving": "inside", "mocked": "inside"}


@dataclass(frozen=True)
class Seen:
    """One thing that a phone says: what, where, when, under which name."""

    device_id: str
    name: str
    shape: str
    store_id: str
    at_ms: int

    def sighting(self, now_ms: int, **more: Any) -> Sighting:
        """It as it is sent now: by its age, or by its time where that lies ahead."""
        age_ms = now_ms - self.at_ms
        if age_ms < 0 or "at" in more:
            more = {"at": datetime.fromtimestamp(self.at_ms / 1000, ZoneInfo("UTC")), **more, "age_ms": None}
        more["age_s"] = age_ms / 1000
        shop = self.store_id if self.store_id in (HARBOUR, ROCK) else HARBOUR
        match self.shape:
            case "untimed":
                return fix(self.name, **more | {"age_ms": None, "at": None})
            case "enter" | "exit" | "dwell":
                return fence(self.name, self.shape, shop=self.store_id, **more)
            case "nowhere":
                return fence(self.name, "enter", shop="nowhere", **more)
            case "burst" | "pair":
                major = MAJOR[self.store_id]
                return heard(self.name, n=5 if self.shape == "burst" else 2, major=major, **more)
            case "stranger":
                return heard(self.name, major=99, **more)
            case "driving":
                return fix(self.name, shop=shop, speed_mps=14.0, **more)
            case "mocked":
                return fix(self.name, shop=shop, mocked=True, **more)
            case spot:
                return fix(self.name, spot, shop=shop, **more)

    @property
    def north_m(self) -> float | None:
        """Metres north of the harbour, where the phone says a position."""
        spot = AT_SPOT.get(self.shape, self.shape)
        if spot not in SPOTS:
            return None
        return NORTH_M[self.store_id if self.store_id in (HARBOUR, ROCK) else HARBOUR] + SPOTS[spot][0]


@dataclass
class Verdicts:
    """What a request has to be answered."""

    accepted: int = 0
    away: int = 0
    duplicates: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Book:
    """The model."""

    clock: SteppedClock
    devices: dict[str, dict[str, Any]] = field(default_factory=dict)
    shoppers: dict[str, str | None] = field(default_factory=dict)
    """Phone by shopper."""
    statements: dict[str, list[tuple[str, str | None, datetime, bool]]] = field(default_factory=dict)
    posted: list[Seen] = field(default_factory=list)
    taken: dict[tuple[str, str], tuple[int, Seen]] = field(default_factory=dict)
    proofs: dict[tuple[str, str], set[tuple[str, str]]] = field(default_factory=dict)
    """By sighting the (shopper, store) of whom and where it has to be evidence."""
    held: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """By phone number whose it is, and whether the retailer says so."""
    born: dict[str, datetime] = field(default_factory=dict)
    believable: set[str] = field(default_factory=set)
    radius_m: dict[str, float] = field(default_factory=dict)
    campaigns: dict[str, dict[str, Any]] = field(default_factory=dict)
    coupons: dict[str, dict[str, Any]] = field(default_factory=dict)
    redemptions: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[tuple[str, str], tuple[tuple[Any, ...], str, datetime]] = field(default_factory=dict)
    layout: str = "plain"
    names: int = 0
    swept: datetime | None = None
    seen: Counter[str] = field(default_factory=Counter)
    """How often what happened."""

    @property
    def now_ms(self) -> int:
        return to_ms(self.clock.now())

    # Devices, shoppers, consents

    def registered(self, device_id: str, shopper_id: str, details: dict[str, Any]) -> None:
        """A new phone of a new shopper."""
        assert device_id not in self.devices
        assert shopper_id not in self.shoppers
        self.devices[device_id] = {"shopper": shopper_id, "since": self.clock.now(), **details}
        self.shoppers[shopper_id] = None
        self.born[shopper_id] = self.clock.now()
        self.statements[shopper_id] = []

    def identified(self, device_id: str, phone: str, *, vouched: bool) -> tuple[str, str] | None:
        """Whose a phone number is; who becomes whom where the retailer says that two shoppers are one."""
        device = self.devices[device_id]
        mine = device["shopper"]
        owner, firm = self.held.get(phone, (mine, False))
        if not vouched:
            if owner == mine:
                self.held[phone] = (mine, firm)
                self.shoppers[mine] = phone
            return None
        if owner != mine and firm:
            if any(who == mine for who, _ in self.held.values()):
                device |= {"shopper": owner, "since": self.clock.now()}
                self.shoppers[owner] = phone
                return None
            stays, goes = sorted((mine, owner), key=lambda who: (self.born[who], who))
            self._joined(goes, stays)
            self.shoppers[stays] = phone
            return goes, stays
        if owner != mine:
            # She only said so: it is not hers, and a STOP for the number goes along.
            self.shoppers[owner] = None
            stops = [one for one in self.statements[owner] if one[1] == "sms" and not one[3]]
            self.statements[mine] += stops
        self.held[phone] = (mine, True)
        self.shoppers[mine] = phone
        return None

    def _joined(self, goes: str, stays: str) -> None:
        """Everything of one shopper is another's."""
        self.statements[stays] += self.statements.pop(goes)
        del self.shoppers[goes]
        for device in self.devices.values():
            device["shopper"] = stays if device["shopper"] == goes else device["shopper"]
        self.held = {phone: (stays if who == goes else who, firm) for phone, (who, firm) in self.held.items()}
        self.proofs = {
            key: {(stays if who == goes else who, store) for who, store in both}
            for key, both in self.proofs.items()
        }
        if goes in self.believable:
            self.believable = self.believable - {goes} | {stays}
        self.seen["joined"] += 1

    def stated(
        self, device_id: str, purpose: str, channel: str | None, *, granted: bool, at: datetime
    ) -> None:
        """A consent counts from when it was given, a withdrawal from when it came."""
        since = at if granted else self.clock.now()
        self.statements[self.devices[device_id]["shopper"]].append((purpose, channel, since, granted))

    def granted(self, shopper_id: str, purpose: str, channel: str | None) -> bool:
        """The newest statement counts; of the same instant the withdrawal, else the one that came last."""
        mine = [one for one in self.statements[shopper_id] if one[:2] == (purpose, channel)]
        last = max(enumerate(mine), key=lambda pair: (pair[1][2], not pair[1][3], pair[0]), default=None)
        return last is not None and last[1][3]

    def agrees(self, shopper_id: str, channel: str) -> bool:
        return self.granted(shopper_id, "location", None) and self.granted(shopper_id, "marketing", channel)

    def lawful(self, shopper_id: str, campaign_id: str) -> bool:
        """Monday to Saturday, 08:30 to 20:00, no holiday: at the shop, or by her phone where the send was scheduled."""
        zone = ZONE
        if campaign_id in SCHEDULED:
            mine = [(one["since"], name, one["timezone"]) for name, one in self.devices.items()]
            mine = [one for one in mine if self.devices[one[1]]["shopper"] == shopper_id and one[2]]
            mine.sort(key=lambda one: one[1])
            mine.sort(key=lambda one: one[0], reverse=True)
            zone = mine[0][2] if mine else ZONE
        local = self.clock.now().astimezone(ZoneInfo(zone))
        country = COUNTRIES.get((self.shoppers[shopper_id] or "")[:4], "MC")
        open_now = time(8, 30) <= local.time() < time(20)
        return local.weekday() != 6 and open_now and local.date() not in _holidays(country, local.year)

    # Sightings

    def expect(self, items: Sequence[Seen]) -> Verdicts:
        """What becomes of a request's sightings, which are taken as from now on."""
        told = Verdicts()
        for seen in items:
            age_ms, key = self.now_ms - seen.at_ms, (seen.device_id, seen.name)
            if seen.shape == "untimed":
                told.rejected.append((seen.name, "missing_time"))
            elif not -NEWEST_MS <= age_ms <= OLDEST_MS:
                told.rejected.append((seen.name, "time_out_of_range"))
            elif self._is_away(seen):
                told.away += 1
            elif key in self.taken:
                told.duplicates += 1
            else:
                told.accepted += 1
                self._take(seen)
        self.seen.update(accepted=told.accepted, away=told.away, duplicates=told.duplicates)
        self.seen.update(code for _, code in told.rejected)
        return told

    def _is_away(self, seen: Seen) -> bool:
        if seen.north_m is not None:
            return all(abs(seen.north_m - NORTH_M[store]) > AWAY_M + 400 for store in self.radius_m)
        return seen.shape in ("nowhere", "stranger") or seen.store_id not in self.radius_m

    def _take(self, seen: Seen) -> None:
        shopper_id = self.devices[seen.device_id]["shopper"]
        self.taken[seen.device_id, seen.name] = (self.now_ms, seen)
        if seen.shape != "mocked":
            self.believable.add(shopper_id)
        if seen.north_m is None:
            stores = {seen.store_id}
        else:
            stores = {
                store
                for store, radius_m in self.radius_m.items()
                if abs(seen.north_m - NORTH_M[store]) <= radius_m
            }
        self.proofs[seen.device_id, seen.name] = {(shopper_id, store) for store in stores}

    def published(self, name: str) -> None:
        """The layout of the shops that is in force from now on."""
        stores = (KIOSK,) if name == "kiosk" else (HARBOUR, ROCK)
        self.radius_m |= dict.fromkeys(stores, PREMISES_M[name])
        self.layout = self.layout if name == "kiosk" else name

    def applied(self, name: str, text: str) -> None:
        """A campaign as it is in force from now on; a paused one stays paused."""
        (share,) = re.findall(r"holdout: (\d+)%", text)
        self.campaigns.setdefault(name, {"state": "active"})
        self.campaigns[name] |= {"yaml": text, "holdout": int(share) / 100}

    # Coupons

    def redeem(
        self, key: KeyRow, code: str, body: tuple[str, Decimal | None], *, idempotency_key: str | None
    ) -> str:
        """What the till is told: `redeemed`, the name of an earlier redemption, or why not."""
        store_id, amount = body
        if key.store_id not in (None, store_id):
            return "forbidden"
        first = self.answers.get((key.id, idempotency_key or ""))
        if first is not None:
            return first[1] if first[0] == (code, *body) else "idempotency_key_reused"
        coupon = self.coupons[code]
        if coupon["store"] != store_id:
            return "wrong_store"
        if coupon["min_basket"] and (amount is None or amount < coupon["min_basket"]):
            return "amount_missing" if amount is None else "basket_too_small"
        if coupon["redemption"] is not None:
            return "already_redeemed"
        return "expired" if coupon["expires"] <= self.clock.now() else "redeemed"

    def redeemed(self, name: str, code: str, key: KeyRow) -> None:
        """A coupon was used."""
        assert name not in self.redemptions
        assert self.coupons[code]["redemption"] is None
        self.coupons[code]["redemption"] = name
        self.redemptions[name] = {"code": code, "key": key.id, "at": self.clock.now(), "voided": None}

    def voided(self, name: str) -> None:
        """A redemption was taken back; twice is the same as once."""
        row = self.redemptions[name]
        if row["voided"] is None:
            row["voided"] = self.clock.now()
            self.coupons[row["code"]]["redemption"] = None

    def answered(
        self,
        key: KeyRow,
        code: str,
        body: tuple[str, Decimal | None],
        *,
        idempotency_key: str | None,
        told: str,
    ) -> None:
        """The first answer under a key is given again for a week."""
        if idempotency_key is not None and (told == "already_redeemed" or told in self.redemptions):
            kept = ((code, *body), told, self.clock.now())
            self.answers.setdefault((key.id, idempotency_key), kept)

    def idempotency_key(self, key: KeyRow, number: int) -> str:
        """What a till calls a request: otherwise once a week has passed, when the first answer may be forgotten."""
        limit = self.clock.now() - _ANSWERS_KEPT
        while (first := self.answers.get((key.id, f"k{number}"))) is not None and first[2] <= limit:
            number += 2
        return f"k{number}"

    def forget_answers(self) -> None:
        """The jobs have run, and what was due an hour ago is forgotten."""
        limit = self.clock.now() - _ANSWERS_KEPT - timedelta(hours=1)
        self.answers = {key: first for key, first in self.answers.items() if first[2] > limit}


@cache
def _holidays(country: str, year: int) -> frozenset[Any]:
    return frozenset(holidays.country_holidays(country, years=year))
