"""Does what is kept come back as it was: catalog, access, people, decisions, figures, jobs?"""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.facts import PastOffer
from campaigns.model import Channel
from m2s.adapters.storage.database import SqlDatabase
from m2s.adapters.storage.engine import driver
from m2s.app.figures import CountRow, OfferedRow
from m2s.app.ports import Records
from m2s.app.rows import AnswerRow, CampaignRow, ConsentRow, DecisionRow, KeyRow, ShopperRow
from m2s.core.base.errors import NotFound
from tests.adapters.storage.samples import DAY, DECISION, DEVICE, HOUR, MESSAGE, NOW, REDEMPTION, VISIT
from tests.changed import replace

CAMPAIGN = CampaignRow("november", "v1", "active", "salt", "campaign: november\n", NOW)
KEY = KeyRow("key_1", "till", "bakery", NOW, None)


def decision(number: int, **changes: object) -> DecisionRow:
    return replace(DECISION, id=f"dec_{number}", occasion_key=f"occasion {number}", **changes)  # type: ignore[arg-type]


def test_the_catalog_version_counts_up_from_nothing(database: SqlDatabase) -> None:
    def twice(records: Records) -> list[int]:
        return [records.catalog.version(), records.catalog.raise_version(), records.catalog.raise_version()]

    assert database.write(twice) == [0, 1, 2]


def test_a_setting_is_replaced_not_repeated(database: SqlDatabase) -> None:
    database.write(lambda records: records.catalog.keep_setting("salt", "a"))
    database.write(lambda records: records.catalog.keep_setting("salt", "b"))
    with database.read() as records:
        assert records.catalog.setting("salt") == "b"
        assert records.catalog.setting("other") is None


def test_stores_are_replaced_by_id_and_come_back_sorted(database: SqlDatabase) -> None:
    def put(records: Records) -> None:
        records.catalog.put_stores({"b": "{}", "a": '{"id": "a"}'}, version=1, at=NOW)
        records.catalog.put_stores({"b": '{"id": "é"}'}, version=2, at=NOW)

    database.write(put)
    with database.read() as records:
        assert list(records.catalog.store_features()) == ['{"id": "a"}', '{"id": "é"}']
        assert list(records.catalog.store_features(after=1)) == ['{"id": "é"}']
        assert [records.catalog.has_store(store_id) for store_id in ("b", "c")] == [True, False]


def test_a_campaign_is_replaced_and_its_versions_are_kept(database: SqlDatabase) -> None:
    second = replace(CAMPAIGN, version="v2", yaml="campaign: november # 2\n", applied_at=NOW + HOUR)

    def apply(records: Records) -> None:
        records.catalog.put_campaign(CAMPAIGN)
        records.catalog.set_campaign_state("november", "paused")
        records.catalog.put_campaign(replace(second, state="paused"))
        records.catalog.put_campaign(replace(second, state="paused", applied_at=NOW + DAY))

    database.write(apply)
    with database.read() as records:
        assert records.catalog.campaigns() == [replace(second, state="paused", applied_at=NOW + DAY)]
        query = sa.text("SELECT version, applied_at FROM campaign_versions ORDER BY version")
        versions = records.catalog._connection.execute(query).all()  # type: ignore[attr-defined]
    assert [row.version for row in versions] == ["v1", "v2"]
    assert versions[1].applied_at == int((NOW + HOUR).timestamp() * 1000)


def test_the_state_of_an_unknown_campaign_cannot_be_set(database: SqlDatabase) -> None:
    with pytest.raises(NotFound, match="'december'"):
        database.write(lambda records: records.catalog.set_campaign_state("december", "paused"))


def test_a_key_is_found_by_its_hash_and_revoked_once(database: SqlDatabase) -> None:
    database.write(lambda records: records.access.add_key(KEY, b"hash"))
    with database.read() as records:
        assert records.access.key_by_hash(b"hash") == KEY
        assert records.access.key_by_hash(b"other") is None
    revoked = [
        database.write(lambda records: records.access.revoke_key("key_1", at=NOW + HOUR)) for _ in "12"
    ]
    assert revoked == [True, False]
    with database.read() as records:
        assert records.access.keys() == [replace(KEY, revoked_at=NOW + HOUR)]


def test_two_keys_cannot_share_a_secret(database: SqlDatabase) -> None:
    database.write(lambda records: records.access.add_key(KEY, b"hash"))
    with pytest.raises(sa.exc.IntegrityError):
        database.write(lambda records: records.access.add_key(replace(KEY, id="key_2"), b"hash"))


def test_the_first_answer_to_an_idempotency_key_stays(database: SqlDatabase) -> None:
    first, second = AnswerRow(b"1", 201, '{"é": 1}'), AnswerRow(b"2", 409, "{}")

    def keep(records: Records) -> None:
        for answer in (first, second):
            records.access.keep_answer("key_1", "abc", answer=answer, at=NOW)

    database.write(keep)
    with database.read() as records:
        assert records.access.answer("key_1", "abc") == first
        assert records.access.answer("key_2", "abc") is None


def test_answers_are_forgotten_by_age(database: SqlDatabase) -> None:
    def keep(records: Records) -> None:
        for key, at in (("old", NOW - HOUR), ("young", NOW)):
            records.access.keep_answer("key_1", key, answer=AnswerRow(b"1", 201, key), at=at)
        records.access.forget_answers(NOW)

    database.write(keep)
    with database.read() as records:
        assert records.access.answer("key_1", "old") is None
        assert records.access.answer("key_1", "young") == AnswerRow(b"1", 201, "young")


def test_shoppers_are_found_by_their_phone_without_reading_all_of_them(database: SqlDatabase) -> None:
    def register(records: Records) -> None:
        for number in (2, 1):
            device = replace(
                DEVICE, id=f"dev_{number}", shopper_id=f"shp_{number}", registered_at=NOW + number * HOUR
            )
            records.devices.add_device(device, token_hash=bytes([number]))
            records.devices.set_phone(f"shp_{number}", "+33612345678", country="FR")

    database.write(register)
    with database.read() as records:
        assert records.devices.shoppers_with_phone("+33612345678") == ["shp_1", "shp_2"]
        assert records.devices.shoppers_with_phone("+33600000000") == []
        connection = records.devices._connection  # type: ignore[attr-defined]
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT id FROM shoppers WHERE phone = ?", ("+33",)
        )
        assert "ix_shoppers_phone" in plan.all()[0].detail


def test_a_device_brings_its_shopper_and_a_second_one_shares_it(database: SqlDatabase) -> None:
    tablet = replace(DEVICE, id="dev_2", os_permissions={}, push_token=None, push_token_at=None)

    def register(records: Records) -> None:
        records.devices.add_device(DEVICE, token_hash=b"1")
        records.devices.set_phone("shp_1", "+33612345678", country="FR")
        records.devices.add_device(tablet, token_hash=b"2")
        records.devices.update_device("dev_1", {"language": "en"}, at=NOW + HOUR)

    database.write(register)
    changed = replace(DEVICE, language="en")
    with database.read() as records:
        assert records.devices.device("dev_2") == tablet
        assert records.devices.device_by_token(b"1") == changed
        assert records.devices.device_by_token(b"3") is None
        assert records.devices.devices(["dev_1", "dev_2", "dev_9"]) == {"dev_1": changed, "dev_2": tablet}
        assert records.devices.devices_of(["shp_1", "shp_9"]) == {"shp_1": [changed, tablet]}
        assert records.devices.shoppers(["shp_1"]) == {"shp_1": ShopperRow("shp_1", "+33612345678", "FR")}


def test_only_known_fields_of_a_known_device_change(database: SqlDatabase) -> None:
    database.write(lambda records: records.devices.add_device(DEVICE, token_hash=b"1"))
    changes = {"os_permissions": {"location": "denied"}, "push_token": None}
    database.write(lambda records: records.devices.update_device("dev_1", changes, at=NOW))
    with pytest.raises(ValueError, match="shopper_id"):
        database.write(lambda records: records.devices.update_device("dev_1", {"shopper_id": "x"}, at=NOW))
    with pytest.raises(NotFound, match="dev_9"):
        database.write(lambda records: records.devices.update_device("dev_9", {"language": "en"}, at=NOW))
    with pytest.raises(NotFound, match="shp_9"):
        database.write(lambda records: records.devices.set_phone("shp_9", "+336", country=None))
    with database.read() as records:
        assert records.devices.device("dev_1") == replace(
            DEVICE, os_permissions={"location": "denied"}, push_token=None, push_token_at=None
        )


def test_the_newest_consent_per_purpose_and_channel_counts(database: SqlDatabase) -> None:
    old = ConsentRow("marketing", "push", granted=True, text_version="t1", at=NOW - DAY)
    sms = replace(old, channel="sms")
    withdrawn = replace(old, granted=False, at=NOW)
    place = ConsentRow("location", None, granted=True, text_version="t1", at=NOW)
    late_news = replace(old, text_version="t0", at=NOW - 2 * DAY)

    def add(records: Records) -> None:
        records.devices.add_consents(DEVICE, [old, sms, place], received_at=NOW)
        records.devices.add_consents(DEVICE, [withdrawn], received_at=NOW)
        records.devices.add_consents(DEVICE, [late_news], received_at=NOW + HOUR)
        records.devices.add_consents(DEVICE, [], received_at=NOW)

    database.write(add)
    with database.read() as records:
        assert records.devices.consents(["shp_1", "shp_9"]) == {"shp_1": [place, withdrawn, sms]}


def test_a_consent_from_a_fast_clock_does_not_outlive_its_withdrawal(database: SqlDatabase) -> None:
    granted = ConsentRow("marketing", "sms", granted=True, text_version="t1", at=NOW + 30 * DAY)
    withdrawn = replace(granted, granted=False, at=NOW + HOUR)

    def add(records: Records) -> None:
        records.devices.add_consents(DEVICE, [granted], received_at=NOW)
        records.devices.add_consents(DEVICE, [withdrawn], received_at=NOW + HOUR)

    database.write(add)
    with database.read() as records:
        assert records.devices.consents(["shp_1"]) == {"shp_1": [withdrawn]}


def test_a_withdrawal_counts_from_its_receipt_however_slow_the_phones_clock(database: SqlDatabase) -> None:
    granted = ConsentRow("marketing", "sms", granted=True, text_version="t1", at=NOW)
    withdrawn = replace(granted, granted=False, at=NOW - 2 * DAY)
    again = replace(granted, text_version="t2", at=NOW + 2 * HOUR)

    def counts() -> list[ConsentRow]:
        with database.read() as records:
            return records.devices.consents(["shp_1"])["shp_1"]

    for row, received_at in ((granted, NOW), (withdrawn, NOW + HOUR)):
        database.write(
            lambda records, row=row, at=received_at: records.devices.add_consents(
                DEVICE, [row], received_at=at
            )
        )
    assert counts() == [withdrawn]
    database.write(lambda records: records.devices.add_consents(DEVICE, [again], received_at=NOW + DAY))
    assert counts() == [again]


def test_of_a_grant_and_a_withdrawal_of_one_instant_the_withdrawal_counts(database: SqlDatabase) -> None:
    granted = ConsentRow("marketing", "sms", granted=True, text_version="t1", at=NOW)
    withdrawn = replace(granted, granted=False)
    database.write(
        lambda records: records.devices.add_consents(DEVICE, [withdrawn, granted], received_at=NOW)
    )
    with database.read() as records:
        assert records.devices.consents(["shp_1"]) == {"shp_1": [withdrawn]}


def test_a_decision_comes_back_with_its_trace(database: SqlDatabase) -> None:
    database.write(lambda records: records.decisions.add([DECISION]))
    with database.read() as records:
        assert records.decisions.get("dec_1") == DECISION
        assert records.decisions.get("dec_2") is None


def test_an_occasion_is_decided_once(database: SqlDatabase) -> None:
    database.write(lambda records: records.decisions.add([DECISION]))
    with pytest.raises(driver().IntegrityError):
        database.write(lambda records: records.decisions.add([replace(DECISION, id="dec_2")]))
    known = ("november", "croissant", DECISION.occasion_key)
    with database.read() as records:
        asked = [known, ("november", "croissant", "other"), ("december", *known[1:])]
        assert records.decisions.known_occasions(asked) == {known}


def test_past_offers_are_sends_and_ghosts_alike_oldest_first(database: SqlDatabase) -> None:
    rows = [
        decision(1, decided_at=NOW, outcome="ghost"),
        decision(2, decided_at=NOW - HOUR),
        decision(3, decided_at=NOW - HOUR, outcome="suppressed"),
        decision(4, decided_at=NOW - DAY - timedelta(milliseconds=1)),
        decision(5, decided_at=NOW - DAY),
        decision(6, decided_at=NOW, shopper_id="shp_2", offer_id="baguette"),
    ]
    database.write(lambda records: records.decisions.add(rows))
    with database.read() as records:
        past = records.decisions.past(["shp_2", "shp_1", "shp_3"], NOW - DAY)
    instants = [NOW - DAY, NOW - HOUR, NOW]
    assert past == {
        "shp_1": [PastOffer(at, "november", "croissant", Channel.PUSH) for at in instants],
        "shp_2": [PastOffer(NOW, "november", "baguette", Channel.PUSH)],
    }


def test_the_first_arm_rules(database: SqlDatabase) -> None:
    def record(records: Records) -> None:
        records.decisions.record_arms([("november", "shp_1", "control")], at=NOW)
        records.decisions.record_arms(
            [("november", "shp_1", "treated"), ("_universal", "shp_1", "treated")], at=NOW
        )
        records.decisions.record_arms([], at=NOW)

    database.write(record)
    with database.read() as records:
        assert records.decisions.arms(["shp_1", "shp_2"]) == {
            "shp_1": {"november": "control", "_universal": "treated"}
        }


def test_a_scheduled_send_is_claimed_once_per_store_and_time(database: SqlDatabase) -> None:
    def claim(store_ids: str, key: str) -> set[str]:
        return database.write(
            lambda records: records.decisions.claim(
                "november", "saturday", store_ids=store_ids, key=key, due=NOW, at=NOW
            )
        )

    assert [claim("a", "1"), claim("ab", "1"), claim("ab", "1"), claim("a", "2")] == [
        {"a"},
        {"b"},
        set(),
        {"a"},
    ]
    with database.read() as records:
        assert records.decisions.claimed("november", "saturday", key="1") == {"a", "b"}
        assert records.decisions.claimed("november", "sunday", key="1") == set()


def test_decisions_are_found_by_what_is_asked_newest_first(database: SqlDatabase) -> None:
    rows = [
        decision(1, decided_at=NOW - HOUR),
        decision(2),
        decision(3, offer_id="baguette", decided_at=NOW + HOUR),
        decision(4, shopper_id="shp_2"),
    ]
    database.write(lambda records: records.decisions.add(rows))

    def found(**asked: object) -> list[str]:
        every = dict.fromkeys(("shopper_id", "offer_id", "since", "until")) | {"limit": 10}
        with database.read() as records:
            return [row.id for row in records.decisions.find(**(every | asked))]  # type: ignore[arg-type]

    assert found() == ["dec_3", "dec_4", "dec_2", "dec_1"]
    assert found(limit=2) == ["dec_3", "dec_4"]
    assert found(shopper_id="shp_1") == ["dec_3", "dec_2", "dec_1"]
    assert found(offer_id="baguette") == ["dec_3"]
    assert found(since=NOW, until=NOW + HOUR) == ["dec_4", "dec_2"]


def test_figures_read_the_half_open_span(database: SqlDatabase) -> None:
    later = NOW + HOUR

    def keep(records: Records) -> None:
        records.sightings.put_visits(
            [replace(VISIT, id=f"vis_{n}", start_at=at) for n, at in enumerate((later, NOW))]
        )
        records.decisions.add([decision(n, decided_at=at) for n, at in enumerate((later, NOW))])
        for number, at in enumerate((later, NOW)):
            records.coupons.add_redemption(replace(REDEMPTION, id=f"red_{number}", at=at))
        records.messages.add(
            [
                replace(MESSAGE, id=f"msg_{n}", decision_id=f"dec_{n}", state=state, created_at=at)
                for n, (state, at) in enumerate(
                    [("accepted", later), ("accepted", NOW), ("refused", NOW), ("unknown", NOW)]
                )
            ]
        )

    database.write(keep)
    with database.read() as records:
        reports = records.reports
        assert [row.id for row in reports.visits(NOW, later)] == ["vis_1"]
        assert [row.id for row in reports.visits(NOW, later + HOUR)] == ["vis_1", "vis_0"]
        assert reports.counts(NOW, later) == [
            CountRow(what, reason, "bakery", "november", "croissant", NOW, 1)
            for what, reason in (
                ("send", None),
                ("message", "accepted"),
                ("message", "refused"),
                ("message", "unknown"),
                ("redemption", None),
            )
        ]
        assert [row.many for row in reports.counts(NOW, later + HOUR)] == [2, 2, 1, 1, 2]


def test_what_happened_in_a_quarter_of_an_hour_is_counted_by_outcome_reason_store_and_offer(
    database: SqlDatabase,
) -> None:
    quarter = NOW.replace(second=0, microsecond=0)
    ends = (quarter, quarter + timedelta(minutes=15) - timedelta(milliseconds=1))
    rows = [decision(n, decided_at=at) for n, at in enumerate((*ends, quarter + timedelta(minutes=15)))]
    rows += [
        decision(n, outcome="suppressed", reason=why) for n, why in ((3, "fresh"), (4, "fresh"), (5, "law"))
    ]
    rows += [
        decision(6, store_id="florist"),
        decision(7, offer_id="baguette"),
        decision(8, campaign_id="other"),
    ]

    def keep(records: Records) -> None:
        records.decisions.add(rows)
        for number, voided_at in enumerate((None, NOW)):
            records.coupons.add_redemption(replace(REDEMPTION, id=f"red_{number}", voided_at=voided_at))

    database.write(keep)
    with database.read() as records:
        counts = records.reports.counts
        found = {
            (row.what, row.reason, row.store_id, row.campaign_id, row.offer_id, row.at): row.many
            for row in counts(NOW - HOUR, NOW + HOUR, by_quarter=True)
        }
        usual = ("bakery", "november", "croissant")
        assert found == {
            ("send", None, *usual, quarter): 2,
            ("send", None, *usual, quarter + timedelta(minutes=15)): 1,
            ("suppressed", "fresh", *usual, quarter): 2,
            ("suppressed", "law", *usual, quarter): 1,
            ("send", None, "florist", "november", "croissant", quarter): 1,
            ("send", None, "bakery", "november", "baguette", quarter): 1,
            ("send", None, "bakery", "other", "croissant", quarter): 1,
            ("redemption", None, *usual, quarter): 1,
        }
        assert [row.store_id for row in counts(NOW - HOUR, NOW + HOUR, store_id="florist")] == ["florist"]
        assert [row.campaign_id for row in counts(NOW - HOUR, NOW + HOUR, campaign_id="other")] == ["other"]


def test_what_a_campaign_offered_is_told_oldest_first_without_what_was_suppressed(
    database: SqlDatabase,
) -> None:
    rows = [
        decision(1, decided_at=NOW + HOUR),
        decision(2, shopper_id="shp_2", outcome="ghost", reason="holdout"),
        decision(3, outcome="suppressed", reason="fresh"),
        decision(4, campaign_id="other"),
    ]
    database.write(lambda records: records.decisions.add(rows))
    with database.read() as records:
        assert records.reports.offered("november") == [
            OfferedRow("shp_2", "bakery", "ghost", "holdout", NOW),
            OfferedRow("shp_1", "bakery", "send", None, NOW + HOUR),
        ]


def test_a_tick_is_claimed_once_and_can_be_forgotten(database: SqlDatabase) -> None:
    def claim() -> bool:
        return database.write(lambda records: records.jobs.claim_tick("close", NOW, NOW))

    assert [claim(), claim()] == [True, False]
    database.write(lambda records: records.jobs.forget_ticks(NOW))
    assert not claim()
    database.write(lambda records: records.jobs.forget_ticks(NOW + HOUR))
    assert claim()
