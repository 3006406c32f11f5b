"""Is every promise kept right now? What the engine keeps, remembers, sent and reports, against the model."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from statistics import median
from typing import Any

from m2s.app.dedupe import SeenIds
from m2s.app.intake import Intake
from m2s.app.measure import Span
from m2s.app.rebuild import rebuild_visits
from m2s.core.base.instants import from_ms, rfc3339, to_ms
from tests.app.town import ALWAYS
from tests.model.book import Book
from tests.model.house import (
    EVIDENCE_KEPT,
    PRESSURE,
    SIGHTINGS_KEPT,
    UNIVERSAL_HOLDOUT,
    Call,
    House,
    Rehearsal,
)
from tests.model.offers import COUPON_OFFERS, FRESH, LONGEST_VALID, SCHEDULED
from tests.stories.late_data import Follower

REMEMBERED = timedelta(hours=96)
FINAL = {"accepted", "unknown_final", "refused", "expired", "cancelled", "dead_letter"}
WAITS = {"planned", "unknown"}
MAY_HAVE_LEFT = {"accepts", "is in doubt", "breaks", "kills"}
_FAR = timedelta(days=4_000)
_FIGURES = (
    "SELECT id, kind, dwell_s FROM visits UNION ALL SELECT id, state, 0 FROM messages"
    " UNION ALL SELECT id, voided_at, 0 FROM redemptions UNION ALL SELECT id, '', 0 FROM decisions"
    " UNION ALL SELECT shopper_id || store_id || reason, since, until FROM regulars"
)
_COUNTED_STAYS = (
    "SELECT store_id, kind, shopper_id, dwell_s FROM visits AS v WHERE NOT EXISTS (SELECT 1 FROM regulars AS r WHERE"
    " r.shopper_id = v.shopper_id AND r.store_id = v.store_id AND start_at >= since AND start_at < until)"
    " AND NOT EXISTS (SELECT 1 FROM visits AS w WHERE w.shopper_id = v.shopper_id AND w.store_id = v.store_id"
    " AND v.kind = 'visit' AND w.kind = 'visit' AND w.start_at < v.start_at AND v.start_at < w.end_at + 3600000)"
)
_STAYS = (
    "SELECT id, end_at, status, kind, confidence, replaces FROM visits"
    " UNION ALL SELECT id, voided_at, 0, 0, 0, 0 FROM redemptions"
    " UNION ALL SELECT count(*), max(seq), 0, 0, 0, 0 FROM evidence"
)
_ARMS = "SELECT shopper_id, experiment, arm, at FROM assignments ORDER BY rowid"
_DECISIONS = (
    "SELECT id, campaign_id, offer_id, shopper_id, store_id, outcome, reason, at, decided_at"
    " FROM decisions ORDER BY rowid"
)


@dataclass
class Inspector:
    """Looks at everything after every step; remembers what must never change again."""

    house: House
    book: Book
    follower: Follower = field(default_factory=Follower)
    ledger: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))
    states: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    wrong_calls: list[str] = field(default_factory=list)
    checked: tuple[int, int] = (0, 0)
    """What was committed when everything was checked last."""
    made_from: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    decided_for: dict[str, str] = field(default_factory=dict)
    """For whom each decision was made, whoever she is by now."""

    def look(self, call: Call) -> None:
        """What the provider sees of a call, at the instant of it."""
        message, book = call.message, self.book
        device = book.devices.get(call.address.device_id or "")
        why = {
            "no consent": not book.agrees(message.shopper_id, message.channel),
            "unlawful hour": not book.lawful(message.shopper_id, message.campaign_id),
            "not running": book.campaigns[message.campaign_id]["state"] != "active",
            "too late": call.at >= message.valid_until,
            "no token": message.channel == "push" and not call.address.push_token,
            "no phone": message.channel == "sms"
            and (call.address.phone is None or call.address.phone != book.shoppers[message.shopper_id]),
            "another's device": message.channel == "push"
            and (device is None or device["shopper"] != message.shopper_id),
        }
        self.wrong_calls += [f"{reason}: {message.id}" for reason, found in why.items() if found]

    def check(self) -> None:
        """Every promise, unless nothing was committed since the last time."""
        assert self.wrong_calls == []
        changes = self.house.changes()
        if changes == self.checked:
            return
        self.checked = changes
        self._sightings()
        self._visits()
        decisions = self._decisions()
        self._messages(decisions)
        self._sends(decisions)
        self._coupons(decisions)
        self._people()
        self._catalog()
        self._memory()
        self._reports(decisions)

    def joined(self, goes: str, stays: str) -> None:
        """Two shoppers are one: decisions are hers, the earlier arm rules, and nobody is told of other visits."""
        self.ledger["decisions"] = [
            (*row[:3], stays if row[3] == goes else row[3], *row[4:]) for row in self.ledger["decisions"]
        ]
        ruling: dict[tuple[str, str], tuple[Any, ...]] = {}
        for who, *arm in self.ledger["assignments"]:
            own = (stays if who == goes else who, arm[0])
            known = ruling.get(own)
            earlier = known is None or (arm[2], who != stays) < (known[0][3], known[1] != stays)
            ruling[own] = ((own[0], *arm), who) if earlier or known is None else known
        rows = self.house.rows(_ARMS)
        assert sorted(rows) == sorted(row for row, _ in ruling.values()), "the earlier arm does not rule"
        self.ledger["assignments"] = rows
        self.resync()

    def resync(self) -> None:
        """Takes up the visits as they are, where they changed and nobody is told: a till's answer has no visits."""
        with self.house.engine.database.read() as records:
            rows = records.reports.visits(*ALWAYS)
        self.follower.visits = {
            row.id: {"start": rfc3339(row.start_at), "status": "open"} for row in rows if row.kind == "visit"
        }
        self.follower.heirs = {}

    def _sightings(self) -> None:
        """Every acknowledged sighting is kept once, with its evidence, for as long as it is to be kept."""
        book, now = self.book, self.house.clock.now()
        rows = self.house.rows("SELECT device_id, sighting_id, at_ms, received_at_ms FROM sightings")
        kept = {(device, name): (at, received) for device, name, at, received in rows}
        assert len(kept) == len(rows), "a sighting is kept twice"
        taken = {key: (seen.at_ms, received) for key, (received, seen) in book.taken.items()}
        assert kept.items() <= taken.items(), "a sighting is kept that was not acknowledged so"
        oldest_ms = to_ms(now - SIGHTINGS_KEPT)
        lost = {key for key, (_, received) in taken.items() if received >= oldest_ms} - kept.keys()
        assert lost == set(), "an acknowledged sighting is lost"
        if book.swept is not None:
            swept_ms = to_ms(book.swept - SIGHTINGS_KEPT)
            assert all(received >= swept_ms for _, received in kept.values()), "a position is kept too long"
        proofs = self.house.rows("SELECT device_id, sighting_id, shopper_id, store_id, zone_id FROM evidence")
        assert len(set(proofs)) == len(proofs), "evidence is kept twice"
        assert {row[:2] for row in proofs} <= taken.keys(), "evidence of a sighting that was not acknowledged"
        found = {(*row[:2], *row[2:4]) for row in proofs if row[4] == "premises"}
        oldest_ms = to_ms(now - EVIDENCE_KEPT)
        wanted = {
            (*key, *proof)
            for key, both in book.proofs.items()
            if book.taken[key][1].at_ms >= oldest_ms
            for proof in both
        }
        assert wanted <= found, "a sighting in a shop is no evidence of it"

    def _visits(self) -> None:
        """The visits are those that all evidence tells, folded anew, and those that were told."""
        engine, now = self.house.engine, self.house.clock.now()
        if not self._others("visits", _STAYS, engine.catalog().version, self.follower.seen.total()):
            return
        with engine.database.read() as records:
            rows = records.reports.visits(*ALWAYS)
        again = rebuild_visits(Rehearsal(self.house), engine.catalog(), now=now)
        assert (again.changed, again.dropped) == (0, 0), "the visits are not those that the evidence tells"
        self.follower.check(rows)
        assert {row.shopper_id for row in rows} <= self.book.believable, "a mock location made a stay"
        self.book.seen.update(f"stay: {row.kind}" for row in rows)

    def _decisions(self) -> list[dict[str, Any]]:
        """Nothing decided ever changes, an occasion is decided once, and pressure and arms rule every one."""
        rows = self.house.rows(_DECISIONS)
        known = self._appended("decisions", rows)
        names = _DECISIONS.removeprefix("SELECT ").partition(" FROM ")[0].split(", ")
        decisions = [dict(zip(names, row, strict=True)) for row in rows]
        made = [one for one in decisions if one["outcome"] != "suppressed"]
        fresh = {one["id"] for one in decisions[known:]}
        for place, one in enumerate(made):
            if one["id"] in fresh:
                self._allowed(one, made[:place])
        self._arms(made)
        self.book.seen.update(f"{one['outcome']}: {one['campaign_id']}" for one in decisions[known:])
        self.book.seen.update(f"why: {one['reason']}" for one in decisions[known:])
        return decisions

    def _allowed(self, one: dict[str, Any], before: Sequence[dict[str, Any]]) -> None:
        """A send or ghost is fresh, and leaves the shopper within every rate of the house."""
        assert one["shopper_id"] in self.book.believable, "a mock location brought an offer up"
        late_ms = one["decided_at"] - one["at"]
        limit = LONGEST_VALID if one["campaign_id"] in SCHEDULED else FRESH
        assert late_ms <= limit / timedelta(milliseconds=1), "an offer was decided too late"
        mine = [other["decided_at"] for other in before if other["shopper_id"] == one["shopper_id"]]
        for most, window in PRESSURE:
            since = one["decided_at"] - window / timedelta(milliseconds=1)
            assert sum(since < at <= one["decided_at"] for at in mine) < most, f"more than {most} in {window}"

    def _arms(self, made: Sequence[dict[str, Any]]) -> None:
        """An arm is drawn once, as the hash says, and rules every later decision."""
        rows = self.house.rows(_ARMS)
        known = self._appended("assignments", rows)
        for shopper_id, experiment, arm, _ in rows[known:]:
            if experiment == "_universal":
                salt, share = self._universal_salt(), UNIVERSAL_HOLDOUT
            else:
                salt = self.house.engine.catalog().campaigns[experiment].salt
                share = self.book.campaigns[experiment]["holdout"]
            digest = sha256(f"{salt}|{experiment}|{shopper_id}".encode()).digest()
            held_out = int.from_bytes(digest[:8], "big") % 10_000 < round(share * 10_000)
            assert arm == ("control" if held_out else "treatment")
        arms = {(shopper_id, experiment): arm for shopper_id, experiment, arm, _ in rows}
        for one in made:
            if one["id"] in self.decided_for:
                continue
            self.decided_for[one["id"]] = one["shopper_id"]
            shopper_id, own = one["shopper_id"], (one["shopper_id"], one["campaign_id"])
            held_out = "control" in (arms[shopper_id, "_universal"], arms.get(own))
            assert one["outcome"] == ("ghost" if held_out else "send"), "an arm did not rule"

    def _universal_salt(self) -> str:
        ((salt,),) = self.house.rows("SELECT value FROM meta WHERE key = 'universal_salt'")
        return str(salt)

    def _messages(self, decisions: Sequence[dict[str, Any]]) -> None:
        """One message for each send and for nothing else; each waits or has come to its end, which stays."""
        rows = self.house.rows(
            "SELECT decision_id, id, state, reason, not_before, valid_until, shopper_id, campaign_id FROM messages"
        )
        sends = {
            one["id"]: (one["shopper_id"], one["campaign_id"])
            for one in decisions
            if one["outcome"] == "send"
        }
        assert {row[0]: row[6:8] for row in rows} == sends, "sends and messages differ"
        assert len(rows) == len(sends), "a decision has two messages"
        states = {row[1]: (row[2], row[3]) for row in rows}
        assert {state for state, _ in states.values()} <= FINAL | WAITS, "a message hangs"
        settled = {name: how for name, how in self.states.items() if how[0] in FINAL}
        assert settled.items() <= states.items(), "what was over has changed"
        self.book.seen.update(
            f"message: {how[0]}" for name, how in states.items() if self.states.get(name) != how
        )
        self.states = states
        assert all(row[4] <= row[5] for row in rows if row[2] == "planned"), "a message waits for too long"
        self._appended("attempts", self.house.rows("SELECT * FROM attempts ORDER BY seq"))
        self._appended("consents", self.house.rows("SELECT seq, purpose, channel, granted, at FROM consents"))

    def nothing_due(self) -> None:
        """After the jobs no message is left that could have gone, or whose time is over.

        Those of a channel whose provider is not well wait until it is.
        """
        clock, lanes = self.house.clock, self.house.engine.deliver._lanes
        now_ms, rooms = to_ms(clock.now()), {it: lanes[it].room(clock.monotonic_s()) for it in lanes}
        waiting = self.house.rows("SELECT id, not_before, channel FROM messages WHERE state = 'planned'")
        due = [(name, channel) for name, due_ms, channel in waiting if due_ms <= now_ms]
        assert [
            name for name, channel in due if min(rooms[channel, ""].now, rooms[channel, ""].again) > 0
        ] == []

    def _sends(self, decisions: Sequence[dict[str, Any]]) -> None:
        """Of what left: no SMS twice, a push again only under its own name, nobody over any rate."""
        left = [call.message for call in self.house.provider.calls if call.answer in MAY_HAVE_LEFT]
        texts = Counter(message.id for message in left if message.channel == "sms")
        assert all(many == 1 for many in texts.values()), "an SMS left twice"
        accepted = {
            message for (message,) in self.house.rows("SELECT id FROM messages WHERE state = 'accepted'")
        }
        assert accepted <= {message.id for message in left}, "a message is accepted that nobody sent"
        of = {one["id"]: one for one in decisions}
        times: dict[str, list[int]] = defaultdict(list)
        for decision_id in {message.decision_id for message in left}:
            assert of[decision_id]["outcome"] == "send"
            times[self.decided_for[decision_id]].append(of[decision_id]["decided_at"])
        for mine in times.values():
            for most, window in PRESSURE:
                span = window / timedelta(milliseconds=1)
                assert all(sum(at - span < other <= at for other in mine) <= most for at in mine), window

    def _coupons(self, decisions: Sequence[dict[str, Any]]) -> None:
        """One coupon for each send that has one, redeemed as the tills were told."""
        book = self.book
        rows = self.house.rows(
            "SELECT code, decision_id, store_id, min_basket, expires_at, state, redemption_id FROM coupons"
            " ORDER BY rowid"
        )
        due = {
            one["id"]
            for one in decisions
            if one["outcome"] == "send" and (one["campaign_id"], one["offer_id"]) in COUPON_OFFERS
        }
        optional = {one["id"] for one in decisions if one["campaign_id"] in SCHEDULED}
        issued = {row[1] for row in rows}
        assert len(issued) == len(rows)
        assert due - optional <= issued <= due, "sends and coupons differ"
        for code, _, store_id, min_basket, expires_ms, *_ in rows:
            terms = {
                "store": store_id,
                "min_basket": min_basket and Decimal(min_basket),
                "expires": from_ms(expires_ms),
            }
            book.coupons.setdefault(code, {**terms, "redemption": None})
        state = {
            code: None if one["redemption"] is None else one["redemption"]
            for code, one in book.coupons.items()
        }
        assert {row[0]: row[6] for row in rows} == state, (
            "a coupon is not in the state that the tills were told"
        )
        assert all((row[5] == "redeemed") == (row[6] is not None) for row in rows)
        kept = self.house.rows("SELECT id, code, key_id, at, voided_at FROM redemptions ORDER BY rowid")
        told = [
            (name, one["code"], one["key"], to_ms(one["at"]), one["voided"] and to_ms(one["voided"]))
            for name, one in book.redemptions.items()
        ]
        assert kept == told, "redemptions are not those that the tills were told"
        standing = Counter(row[1] for row in kept if row[4] is None)
        assert all(many == 1 for many in standing.values()), "a coupon is redeemed twice"

    def _people(self) -> None:
        """Whose every device is, and what every shopper agreed to."""
        book, engine = self.book, self.house.engine
        owners = {name: device["shopper"] for name, device in book.devices.items()}
        assert engine.devices.known_shoppers(owners).items() <= owners.items(), "whose a device is was cached"
        assert engine.devices.shoppers_of(owners) == owners
        with engine.database.read() as records:
            kept = records.devices.consents(book.shoppers)
        for shopper_id, statements in book.statements.items():
            purposes = {one[:2] for one in statements}
            wanted = {purpose: book.granted(shopper_id, *purpose) for purpose in purposes}
            found = {(row.purpose, row.channel): row.granted for row in kept.get(shopper_id, [])}
            assert found == wanted, "a consent does not count as it should"

    def _catalog(self) -> None:
        """In force is what was published and applied, no more and no less."""
        book, catalog = self.book, self.house.engine.catalog()
        assert {name: store.premises.shape.reach_m for name, store in catalog.stores.items()} == book.radius_m
        kept = self.house.rows("SELECT id, state, yaml FROM campaigns")
        assert {row[0]: row[1:] for row in kept} == {
            name: (one["state"], one["yaml"]) for name, one in book.campaigns.items()
        }
        running = {name: live.paused for name, live in catalog.campaigns.items()}
        assert running == {
            name: one["state"] == "paused"
            for name, one in book.campaigns.items()
            if one["state"] != "stopped"
        }

    def _memory(self) -> None:
        """What is remembered is what a start on this file would take up."""
        engine, now = self.house.engine, self.house.clock.now()
        if not self._others("memory", "SELECT * FROM presence", self.house.lives, len(self.book.posted)):
            return
        live = engine.intake
        fresh = Intake(
            catalog=engine.catalog,
            clock=self.house.clock,
            house=live._house,
            observer=live._observer,
            most_ids=20_000,
        )
        with engine.database.read() as records:
            fresh.load(records)
        assert live._presences.by_shopper == fresh._presences.by_shopper, "presence is not what is kept"
        recent = [key for key, (at, _) in self.book.taken.items() if at >= to_ms(now - REMEMBERED)]
        never = [
            key for seen in self.book.posted if (key := (seen.device_id, seen.name)) not in self.book.taken
        ]
        for intake in (live, fresh):
            assert _known(intake._seen, recent).count(False) == 0, "a repeat would be taken for new"
            assert _known(intake._seen, never).count(True) == 0, "something new would be taken for a repeat"

    def _reports(self, decisions: Sequence[dict[str, Any]]) -> None:
        """The totals of the reports are those of the rows."""
        if not self._others("reports", _FIGURES, self.house.engine.catalog().version):
            return
        figures: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        why: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        sent = {
            row[0] for row in self.house.rows("SELECT decision_id FROM messages WHERE state = 'accepted'")
        }
        standing = {row["code"] for row in self.book.redemptions.values() if row["voided"] is None}
        for one in decisions:
            for group in ((one["store_id"],), (one["campaign_id"], one["offer_id"])):
                figures[group]["exposures"] += one["id"] in sent
                figures[group]["ghosts"] += one["outcome"] == "ghost"
                why[group].update([one["reason"]] if one["outcome"] == "suppressed" else [])
        for code, store_id, *offer in self.house.rows(
            "SELECT code, store_id, campaign_id, offer_id FROM coupons"
        ):
            for group in ((store_id,), tuple(offer)):
                figures[group]["redemptions"] += code in standing
        span = Span(until=self.house.clock.now() + _FAR)
        stores = self.house.engine.reports.report("stores", span).rows
        offers = self.house.engine.reports.report("offers", span).rows
        for row in (*stores, *offers):
            group = (row["store_id"],) if "store_id" in row else (row["campaign_id"], row["offer_id"])
            for name in ("exposures", "ghosts", "redemptions"):
                assert row[name] == figures[group][name], f"the report's {name}"
            assert row["suppressed"] == dict(why[group]), "the report's reasons"
        reported = {group for group, counts in figures.items() if len(group) == 1 and counts.total()}
        assert reported <= {(row["store_id"],) for row in stores}, "a store is not in the report"
        self._stays_in(stores)

    def _stays_in(self, stores: Sequence[Mapping[str, Any]]) -> None:
        rows, every = self.house.rows(_COUNTED_STAYS), self.house.rows("SELECT store_id FROM visits")
        for report in stores:
            stays = [row for row in rows if row[0] == report["store_id"]]
            dwells_s = [row[3] for row in stays if row[1] == "visit"]
            assert report["passers_by"] == sum(row[1] == "passer_by" for row in stays)
            assert report["visits"] == len(dwells_s)
            told = report["passers_by"] + report["visits"] + sum(report["set_aside"].values())
            assert told == every.count((report["store_id"],)), "a stay is in no figure"
            assert report["unique_shoppers"] == len({row[2] for row in stays if row[1] == "visit"})
            assert report["median_dwell_s"] == (round(median(dwells_s)) if dwells_s else None)

    def _others(self, name: str, query: str, *more: Any) -> bool:
        """Whether this is made from other rows than when it was looked at last: looking is what costs the time."""
        rows = (*self.house.rows(query), *more)
        same = self.made_from.get(name) == rows
        self.made_from[name] = rows
        return not same

    def _appended(self, table: str, rows: list[tuple[Any, ...]]) -> int:
        """Ledger rows are added and never changed; returns how many were known."""
        known = len(self.ledger[table])
        assert rows[:known] == self.ledger[table], f"{table}: a row of the ledger changed"
        self.ledger[table] = rows
        return known


def _known(seen: SeenIds, keys: Sequence[tuple[str, str]]) -> list[bool]:
    if not keys:
        return []
    # One at a time would be slow, together each key is new to the others.
    keys = list(dict.fromkeys(keys))
    found: list[bool] = seen.repeated(
        SeenIds.keys([one[0] for one in keys], [one[1] for one in keys])
    ).tolist()
    return found
