"""What campaign does a YAML text describe? The model, or all that is wrong with the text, line by line."""

from collections.abc import Iterable
from datetime import timedelta

from campaigns import moments, values
from campaigns.model import DEFAULT_HOLDOUT, Campaign, Offer, StoreSelector
from campaigns.outline import Named, StoreOutline, check_references
from campaigns.problems import CampaignProblems, Report
from campaigns.reader_fields import Fields, Reading, open_section
from campaigns.reader_nodes import MAX_BYTES, ListNode, compose
from campaigns.reader_offer import read_offer

DEFAULT_ATTRIBUTION_WINDOW = timedelta(days=7)
"""How long after an exposure a visit counts for it, when a campaign does not say."""

_KEYS = ("campaign", "name", "timezone", "from", "until", "stores", "holdout", "attribution", "offers")


def read_campaign(
    text: str | bytes, file: str = "<campaign>", *, stores: Iterable[StoreOutline] | None = None
) -> Campaign:
    """The campaign that a YAML text describes.

    With `stores`, the names of stores, tags, brands, zones and places are looked up among them. Raises
    CampaignProblems, with every problem of the text at once, and nothing else, whatever the text is.
    """
    report = Report(_decoded(text, file), file)
    reading = Reading(report)
    root = compose(report)
    fields = None
    if root is not None:
        fields = open_section(reading, root, what="a campaign", allowed=_KEYS)
    campaign = _campaign(fields, stores) if fields else None
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


def _campaign(fields: Fields, stores: Iterable[StoreOutline] | None) -> Campaign | None:
    campaign_id = fields.required("campaign", values.identifier, word=True)
    name = fields.required("name", values.words(120), word=True)
    since = fields.optional("from", moments.local_date)
    until = fields.optional("until", moments.local_date)
    if since and until and since > until:
        fields.problem("until", "ends_before_start", detail=f"until {until} is before from {since}")
    selector = _selector(fields)
    holdout = fields.optional("holdout", values.share)
    offers = _offers(fields)
    campaign = Campaign(
        id=campaign_id or "",
        name=name or "",
        since=since,
        until=until,
        timezone=fields.optional("timezone", moments.timezone, word=True),
        stores=selector or StoreSelector(),
        holdout=DEFAULT_HOLDOUT if holdout is None else holdout,
        attribution_window=_attribution_window(fields),
        offers=offers,
    )
    if stores is not None:
        reading = fields.reading
        check_references(reading.references, selector, stores=list(stores), report=reading.report)
    return campaign


def _attribution_window(fields: Fields) -> timedelta:
    section = fields.section("attribution", what="attribution", allowed=("window",))
    window = section.required("window", values.duration("1h", "30d")) if section else None
    return window or DEFAULT_ATTRIBUTION_WINDOW


def _selector(fields: Fields) -> StoreSelector | None:
    if not fields.present("stores"):
        return None
    section = fields.section("stores", what="stores", allowed=("all", "ids", "tags", "brands"))
    if section is None:
        return None
    every = section.flag("all")
    if every is False:
        section.problem(
            "all", "bad_value", detail="all: false selects no store", hint="all: true, or ids, tags, brands"
        )
    selector = StoreSelector(
        all=bool(every),
        ids=_names(section, "ids", kind=Named.STORE),
        tags=_names(section, "tags", kind=Named.TAG),
        brands=_names(section, "brands", kind=Named.BRAND),
    )
    named = [key for key in ("ids", "tags", "brands") if section.node(key) is not None]
    if section.node("all") is None and not named:
        fields.problem(
            "stores", "no_stores", detail="no store is selected", hint="all: true, or ids, tags, brands"
        )
    elif every and named:
        detail = f"all: true already selects every store, {named[0]} adds none"
        section.problem(named[0], "contradiction", detail=detail, hint="keep one of the two")
    return selector


def _names(section: Fields, key: str, *, kind: Named) -> frozenset[str]:
    parse = values.identifier if kind is Named.STORE else values.words(120)
    found = section.several(key, parse, word=True)
    for _, node in found:
        section.reading.refer(kind, node)
    return frozenset(name for name, _ in found)


def _offers(fields: Fields) -> tuple[Offer, ...]:
    if not fields.present("offers"):
        return ()
    node = fields.node("offers")
    if not isinstance(node, ListNode) or not node.items:
        hint = "begin each offer with - offer: and an id"
        fields.problem("offers", "no_offers", detail="offers is a list of at least one offer", hint=hint)
        return ()
    seen: set[str] = set()
    offers = [read_offer(fields.reading, item, seen) for item in node.items]
    return tuple(offer for offer in offers if offer is not None)
