"""What campaign does a YAML text describe? The model, or all that is wrong with the text, line by line."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from campaigns import reader_keys as keys
from campaigns.model import DEFAULT_HOLDOUT, Budget, Campaign, Offer, StoreSelector
from campaigns.outline import StoreOutline, check_references
from campaigns.problems import CampaignProblems, Report
from campaigns.reader_area import read_area
from campaigns.reader_audience import read_segments
from campaigns.reader_fields import Fields, Reading, open_part
from campaigns.reader_nodes import MAX_BYTES, ListNode, compose
from campaigns.reader_offer import Around, read_dates, read_offer
from campaigns.reader_shapes import Several
from campaigns.smslaw import SmsRules

DEFAULT_ATTRIBUTION_WINDOW = timedelta(days=7)
"""How long after an exposure a visit counts for it, when a campaign does not say."""


def read_campaign(
    text: str | bytes,
    file: str = "<campaign>",
    *,
    stores: Iterable[StoreOutline] | None = None,
    sms: SmsRules | None = None,
) -> Campaign:
    """The campaign that a YAML text describes.

    With `stores`, the names of stores, tags, brands, zones and places are looked up among them; with `sms`, the
    texts of SMS are held against the law of the house. Raises CampaignProblems, with every problem of the text at
    once, and nothing else, whatever the text is.
    """
    report = Report(_decoded(text, file), file)
    reading = Reading(report, sms)
    root = compose(report)
    fields = None
    if root is not None:
        fields = open_part(reading, root, keys.A_CAMPAIGN)
    known = None if stores is None else list(stores)
    campaign = _campaign(fields, known) if fields else None
    if report.problems or campaign is None:
        raise CampaignProblems(report.problems)
    return campaign


def _decoded(text: str | bytes, file: str) -> str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = text[: error.start].decode("utf-8", "replace")
        report = Report(before + text[error.start : error.start + MAX_BYTES].decode("utf-8", "replace"), file)
        detail = f"the byte 0x{text[error.start]:02X} is not UTF-8"
        report.add(len(before), "not_utf8", detail=detail, hint="save the file as UTF-8")
        raise CampaignProblems(report.problems) from None


def _campaign(fields: Fields, stores: Sequence[StoreOutline] | None) -> Campaign | None:
    campaign_id, name = fields.one(keys.CAMPAIGN), fields.one(keys.NAME)
    since, until = read_dates(fields)
    selector = _selector(fields)
    if stores is not None:
        fields.reading.stores = _taking_part(fields, selector, stores)
    holdout = fields.one(keys.HOLDOUT)
    around = Around(read_segments(fields), since, until, seen=set())
    campaign = Campaign(
        id=campaign_id or "",
        name=name or "",
        since=since,
        until=until,
        timezone=fields.one(keys.TIMEZONE),
        stores=selector or StoreSelector(),
        holdout=DEFAULT_HOLDOUT if holdout is None else holdout,
        attribution_window=_attribution_window(fields),
        offers=_offers(fields, around),
        budget=_budget(fields),
        tags=frozenset(tag for tag, _ in fields.all(keys.TAGS)),
    )
    if stores is not None:
        reading = fields.reading
        check_references(reading.references, selector, stores=stores, report=reading.report)
    return campaign


def _taking_part(
    fields: Fields, selector: StoreSelector | None, stores: Sequence[StoreOutline]
) -> Sequence[StoreOutline]:
    """The stores of the campaign; an area that holds none of all is a problem."""
    if selector is None:
        return ()
    area = selector.area
    if area and stores and not any(area.holds(store.latitude, store.longitude) for store in stores):
        hint = "GeoJSON positions are longitude first"
        fields.problem("stores", "empty_area", detail="no store lies in the area", hint=hint)
    return [store for store in stores if selector.matches(store)]


def _attribution_window(fields: Fields) -> timedelta:
    section = fields.part(keys.ATTRIBUTION)
    return (section.one(keys.WINDOW) if section else None) or DEFAULT_ATTRIBUTION_WINDOW


def _budget(fields: Fields) -> Budget:
    section = fields.part(keys.BUDGET)
    if section is None:
        return Budget()
    limits = Budget(section.one(keys.MESSAGES), section.one(keys.COST), section.one(keys.COUPONS))
    if not section.unknown and not any(section.node(key) for key in keys.BUDGET.section.names):
        detail = "the budget limits nothing"
        fields.problem("budget", "missing_key", detail=detail, hint="messages, cost or coupons")
    return limits


def _selector(fields: Fields) -> StoreSelector | None:
    section = fields.part(keys.STORES)
    if section is None:
        return None
    every = section.truth(keys.ALL)
    if every is False:
        section.problem(
            "all",
            "bad_value",
            detail="all: false selects no store",
            hint="all: true, or ids, tags, brands, area",
        )
    selector = StoreSelector(
        all=bool(every),
        ids=_names(section, keys.IDS),
        tags=_names(section, keys.STORE_TAGS),
        brands=_names(section, keys.BRANDS),
        area=read_area(section, keys.AREA.name),
    )
    named = [key for key in keys.STORE_KEYS[1:] if section.node(key) is not None]
    if section.node("all") is None and not named:
        hint = "all: true, or ids, tags, brands, area"
        fields.problem("stores", "no_stores", detail="no store is selected", hint=hint)
    elif every and named:
        detail = f"all: true already selects every store, {named[0]} adds none"
        section.problem(named[0], "contradiction", detail=detail, hint="keep one of the two")
    return selector


def _names(section: Fields, key: Several[str]) -> frozenset[str]:
    return frozenset(name for name, _ in section.all(key))


def _offers(fields: Fields, around: Around) -> tuple[Offer, ...]:
    if not fields.present("offers"):
        return ()
    node = fields.node("offers")
    if not isinstance(node, ListNode) or not node.items:
        hint = "begin each offer with - offer: and an id"
        fields.problem("offers", "no_offers", detail="offers is a list of at least one offer", hint=hint)
        return ()
    offers = [read_offer(fields.reading, item, around) for item in node.items]
    return tuple(offer for offer in offers if offer is not None)
