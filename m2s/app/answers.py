"""What is somebody answered who asks for HELP or HOURS? The same store and the same hours as in every message."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.facts import StoreFacts
from campaigns.texts import end_text, store_words
from m2s.app.catalog import Catalog
from m2s.app.facts import store_facts
from m2s.app.ports import Records
from m2s.core.delivery.replies import Wish, Word
from m2s.core.places.store import Store

_LOOK_BACK = timedelta(days=396)
_FRENCH = frozenset({"FR", "BE", "CH", "LU", "MC", "GP", "MQ", "GF", "RE", "YT", "NC", "PF"})
"""Countries and parts of them where who tells no language is answered in French."""

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "open": "{store_name}, {store_address} : ouvert jusqu'à {until}.",
        "always": "{store_name}, {store_address} : ouvert.",
        "closed": "{store_name}, {store_address} : fermé jusqu'à {until}.",
        "shut": "{store_name}, {store_address} : fermé.",
        "unknown": "{store_name}, {store_address} : nous ne connaissons pas les horaires.{call}",
        "nowhere": "Nous ne savons pas de quel magasin il s'agit.",
        "help": "Répondez STOP pour ne plus recevoir nos SMS, HORAIRES pour nos horaires.",
        "store": "{store_name}, {store_address}.",
        "call": " Tél. {store_phone}",
    },
    "en": {
        "open": "{store_name}, {store_address}: open until {until}.",
        "always": "{store_name}, {store_address}: open.",
        "closed": "{store_name}, {store_address}: closed until {until}.",
        "shut": "{store_name}, {store_address}: closed.",
        "unknown": "{store_name}, {store_address}: we do not know the hours.{call}",
        "nowhere": "We do not know which store you mean.",
        "help": "Reply STOP to get no more of our SMS, HOURS for our opening hours.",
        "store": "{store_name}, {store_address}.",
        "call": " Phone {store_phone}",
    },
}


def answer(
    records: Records, wish: Wish, shopper_ids: list[str], *, catalog: Catalog, now: datetime
) -> tuple[str, str]:
    """The text for who asks, and the id of the store that it is about; empty where there is none."""
    store = _store(records, shopper_ids, catalog, now=now)
    language = wish.language or _language(records, shopper_ids, store)
    texts = _TEXTS[language]
    if store is None:
        return (texts["help"] if wish.word is Word.HELP else texts["nowhere"]), ""
    facts = store_facts(store, now)
    words = {**store_words(facts), "call": ""}
    if facts.phone:
        words["call"] = _filled(texts["call"], words)
    if wish.word is Word.HELP:
        return f"{_filled(texts['store'], words)}{words['call']} {texts['help']}".strip(), store.id
    kind, until = _state(facts)
    if until is not None:
        words["until"] = end_text(until, now, zone=ZoneInfo(facts.timezone), language=language)
    return _filled(texts[kind], words), store.id


def _state(facts: StoreFacts) -> tuple[str, datetime | None]:
    """Which text fits a store now, and until when it does."""
    if facts.is_open is None:
        return "unknown", None
    if facts.is_open:
        return ("open" if facts.closes_at else "always"), facts.closes_at
    return ("closed" if facts.opens_at else "shut"), facts.opens_at


def _store(records: Records, shopper_ids: list[str], catalog: Catalog, *, now: datetime) -> Store | None:
    """The store of the last SMS to her, else the one that she visited last."""
    store_id = records.receipts.last_store(shopper_ids, channel="sms") if shopper_ids else None
    if store_id is not None and store_id in catalog.stores:
        return catalog.stores[store_id]
    visited = records.sightings.last_visits(shopper_ids, now - _LOOK_BACK) if shopper_ids else {}
    ends = [(end, one) for stores in visited.values() for one, end in stores.items() if one in catalog.stores]
    return catalog.stores[max(ends)[1]] if ends else None


def _language(records: Records, shopper_ids: Iterable[str], store: Store | None) -> str:
    """That of her phone, else that of the store's country, among those that we answer in."""
    devices = records.devices.devices_of(shopper_ids).values()
    told = (device.language or "" for some in devices for device in some)
    at_home = "fr" if store is None or store.country in _FRENCH else "en"
    return next((language for language in told if language in _TEXTS), at_home)


def _filled(text: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", value)
    return text
