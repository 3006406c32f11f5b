"""Which keys does a campaign file have? The tables that the reader reads by and the JSON Schema is made of."""

from typing import Any

from campaigns import moments, recurrence, values
from campaigns.audience import TOPICS, Fact
from campaigns.model import WEEKDAYS, Channel, Holidays, Proximity, Transliterate
from campaigns.outline import Named
from campaigns.reader_shapes import (
    Flag,
    Geometry,
    One,
    Part,
    Parts,
    Section,
    Several,
    Value,
    Words,
    choice,
    duration,
    formed,
    identifier,
    integer,
    words,
)

LONGEST_TITLE = 200
LONGEST_TEXT = 1_000
MOST_SMS_PARTS = 9

_CLOSING = "closing"
_DAY = f"(?:{'|'.join(WEEKDAYS)})"
_DAYS = rf"{_DAY}(?:-{_DAY})?"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_COUNT = integer(0, 1_000_000)
_AGES = ("1m", "395d")
"""Evidence lives thirteen months; what is older cannot be asked for."""


def _expires(text: str) -> str:
    """`closing`, or a duration as it is written."""
    if text != _CLOSING:
        try:
            EXPIRY.parse(text)
        except values.BadValueError as error:
            raise values.BadValueError(error.detail, f"{error.hint}, or closing", code=error.code) from None
    return text


EXPIRY = duration("1m", "366d")
_DATE = Value(moments.local_date, formed(moments.DATE_FORM, "2026-11-30"))
_RATE = Value(values.rate, formed(values.RATE_FORM, "1 per 3d", "20 per hour"))
_MONEY = Value(values.money, formed(values.MONEY_FORM, "1.00 EUR"))
_DISTANCE = Value(values.distance_m, formed(values.DISTANCE_FORM, "300m", "3km"))
_ZONE = identifier(Named.ZONE)
_LANGUAGE = Value(values.language, {"type": "string", "enum": sorted(values.LANGUAGES)}, quoted=True)
_REGION = Value(values.region, formed(values.REGION_FORM, "FR", "FR-75"), quoted=True)

# A campaign.

CAMPAIGN = One("campaign", "The id, in reports and coupons; never changes.", identifier(), required=True)
NAME = One("name", "What people call it.", words(120), required=True)
TAGS = Several("tags", "Words by which the house limits pressure.", words(64))
TIMEZONE = One(
    "timezone",
    "Whose clock days and hours are read on: `store`, each store's own, or an IANA zone.",
    Value(moments.timezone, {"type": "string", "examples": ["store", "Europe/Paris"]}, quoted=True),
)
FROM = One("from", "The first day.", _DATE)
UNTIL = One("until", "The last day; it counts.", _DATE)
HOLDOUT = One(
    "holdout",
    "The share of shoppers who get nothing, so that the effect can be measured; 10% unless given.",
    Value(values.share, formed(values.PERCENT_FORM, "10%")),
)

ALL = Flag("all", "Every store.", only=True)
IDS = Several("ids", "Stores by id.", identifier(Named.STORE))
STORE_TAGS = Several("tags", "Stores with any of these tags.", words(120, Named.TAG))
BRANDS = Several("brands", "Stores of any of these brands.", words(120, Named.BRAND))
AREA = Geometry("area", "Stores whose point is in this GeoJSON Polygon or MultiPolygon, longitude first.")
STORE_KEYS = (ALL.name, IDS.name, STORE_TAGS.name, BRANDS.name, AREA.name)
STORES = Part(
    "stores",
    "Which stores take part: those that any of the keys selects.",
    Section("stores", (ALL, IDS, STORE_TAGS, BRANDS, AREA), any_of=STORE_KEYS),
    required=True,
)

MESSAGES = One("messages", "How many messages may be sent.", integer(1, 100_000_000))
COST = One("cost", "What the messages may cost, by the prices in the settings.", _MONEY)
COUPONS = One("coupons", "How many coupons may be issued.", integer(1, 100_000_000))
BUDGET = Part(
    "budget",
    "What all offers together may use up; held-out shoppers use nothing.",
    Section("budget", (MESSAGES, COST, COUPONS), any_of=("messages", "cost", "coupons")),
)

WINDOW = One(
    "window", "How long after the first decision a visit counts.", duration("1h", "30d"), required=True
)
ATTRIBUTION = Part(
    "attribution", "What counts as an effect; window 7d unless given.", Section("attribution", (WINDOW,))
)

# An audience: what is asked of a shopper.

AT_LEAST, AT_MOST = "at_least", "at_most"
WITHIN = One(
    "within",
    "Looks at what happened so long before the decision; else at all that is kept.",
    duration(*_AGES),
)
AT = One(
    "at",
    "`store` counts only what happened at the store of the offer, `any` at all stores; any unless given.",
    choice("any", "store"),
)
RESEARCHED_TOPICS = Several("topics", "What was looked up; anything unless given.", choice(*TOPICS))


def _between(fact: Fact, about: str, value: Value[Any], *more: One[Any] | Several[Any]) -> Part:
    """A fact that is a number, and its bounds; both belong to it."""
    bounds = (
        One(AT_LEAST, "The lower bound; it counts.", value),
        One(AT_MOST, "The upper; it counts.", value),
    )
    needed = () if fact is Fact.RESEARCHED else (AT_LEAST, AT_MOST)
    return Part(fact.value, about, Section(fact.value, (*bounds, *more), any_of=needed))


NUMBERS = (
    _between(Fact.VISITS, "How many visits.", _COUNT, WITHIN, AT),
    _between(Fact.PURCHASES, "How many baskets at the till.", _COUNT, WITHIN, AT),
    _between(Fact.BOUGHT, "The sum of the baskets.", _MONEY, WITHIN, AT),
    _between(Fact.REDEMPTIONS, "How many coupons redeemed.", _COUNT, WITHIN, AT),
    _between(
        Fact.RESEARCHED,
        "How often something was looked up; once unless given.",
        _COUNT,
        RESEARCHED_TOPICS,
        WITHIN,
    ),
    _between(Fact.DWELL, "How long the longest visit lasted.", duration("1s", "1d"), WITHIN, AT),
    _between(Fact.LAST_VISIT, "How long ago the last visit ended.", duration(*_AGES), AT),
    _between(Fact.DISTANCE, "How far from the store the shopper is.", _DISTANCE),
)
CUSTOMERS = One(
    "customers", "Whether the retailer's own base knows the shopper.", choice("any", "new", "existing")
)
LANGUAGES = Several("languages", "The language of the phone.", _LANGUAGE)
HOME_REGION = Several("home_region", "Where the shopper lives, from presence.", _REGION)
FAVOURITE_STORE = Flag("favourite_store", "Whether the store is the one visited most often.")
NOT_REGULAR = Flag("not_regular", "Not to who comes at this hour anyway.", only=True)
PREDICATES = (*NUMBERS, CUSTOMERS, LANGUAGES, HOME_REGION, FAVOURITE_STORE, NOT_REGULAR)
SEGMENT = Section("a segment", PREDICATES, any_of=tuple(key.name for key in PREDICATES))
SEGMENTS = Parts("segments", "Groups of shoppers by name, for `audience`.", SEGMENT, by_name=identifier())

CONSENT = Flag("consent", "Always true: without consent nothing is sent.", only=True)
NOT_INSIDE = Flag(
    "not_inside", "Whether the shopper must be outside, and not just have left; else by the trigger."
)
IN_SEGMENTS = Several("segments", "In at least one of these segments.", identifier())
NOT_SEGMENTS = Several("not_segments", "In none of these segments.", identifier())
AUDIENCE = Part(
    "audience",
    "To whom; everything that is named must hold.",
    Section("audience", (CONSENT, *PREDICATES, NOT_INSIDE, IN_SEGMENTS, NOT_SEGMENTS)),
)

# An offer.

OFFER = One("offer", "Its id, unique in the file.", identifier(), required=True)
PRIORITY = One("priority", "The highest wins when several offers fit; 50 unless given.", integer(0, 100))

NEAR = One("near", "Fires when a shopper comes into an approach zone.", _ZONE)
ENTER = One("enter", "Fires when a shopper comes into a zone.", _ZONE)
EXIT = One("exit", "Fires when a shopper leaves a zone.", _ZONE)
CROSSING = One("crossing", "Fires when a shopper passed through a zone between two fixes.", _ZONE)
ZONE = One("zone", "The zone, usually premises.", _ZONE, required=True)
DWELL_FOR = One("for", "How long.", duration("10s", "12h"), required=True)
DWELL = Part("dwell", "Fires once in each stay of this length.", Section("dwell", (ZONE, DWELL_FOR)))
PLACE = One("place", "Where in the store the beacons hang.", words(64, Named.PLACE), required=True)
PROXIMITY = One("proximity", "How near; each includes the nearer ones.", choice(*Proximity), required=True)
HEARD_FOR = One("for", "How long.", duration("1s", "12h"), required=True)
BEACON = Part(
    "beacon",
    "Fires when the beacons of a place are heard near enough for long enough.",
    Section("beacon", (PLACE, PROXIMITY, HEARD_FOR)),
)
AFTER_VISIT = One("after_visit", "Comes due so long after a visit ended.", duration("1m", "90d"))
AFTER_REDEMPTION = One("after_redemption", "Comes due so long after a redemption.", duration("1m", "90d"))
TOPICS_ASKED = Several("topics", "What was looked up.", choice(*TOPICS), required=True)
RESEARCHED_WITHIN = One("within", "How long ago at most.", duration("1m", "30d"), required=True)
RESEARCH = Part(
    "research",
    "Fires near a store, for who looked something up shortly before.",
    Section("research", (TOPICS_ASKED, RESEARCHED_WITHIN)),
)
AT_MOMENT = One(
    "at",
    "A scheduled send: weekly, or at one instant.",
    Value(
        moments.moment,
        {
            "type": "string",
            "pattern": rf"^(?:{moments.INSTANT_FORM.pattern}|{_DAYS}(?:, *{_DAYS})* {_CLOCK})$",
            "examples": ["sat 10:00", "mon-fri 11:30", "2026-11-07T10:00:00+01:00"],
        },
    ),
)
CRON = One(
    "cron",
    "A scheduled send by the five fields of cron.",
    Value(recurrence.cron, formed(recurrence.CRON_FORM, "0 10 * * 6")),
)
RRULE = One(
    "rrule",
    "A scheduled send by a recurrence rule of RFC 5545.",
    Value(recurrence.rrule, formed(recurrence.RRULE_FORM, "FREQ=MONTHLY;BYDAY=1SA;BYHOUR=10;BYMINUTE=0")),
)
NEAR_WITHIN = One("within", "How far from the store.", _DISTANCE, required=True)
SEEN_WITHIN = One("seen_within", "How long ago at most.", duration("1h", "395d"), required=True)
AUDIENCE_NEAR = Part(
    "audience_near",
    "To whom a scheduled send goes: shoppers seen at any store so near to the target.",
    Section("audience_near", (NEAR_WITHIN, SEEN_WITHIN)),
)
TRIGGERS = (
    *(NEAR, ENTER, EXIT, DWELL, BEACON, CROSSING, AFTER_VISIT, AFTER_REDEMPTION, RESEARCH),
    *(AT_MOMENT, CRON, RRULE),
)
SCHEDULED = (AT_MOMENT, CRON, RRULE)
TRIGGER = Part(
    "trigger",
    "What brings the offer up: exactly one.",
    Section(
        "a trigger",
        (*TRIGGERS, AUDIENCE_NEAR),
        one_of=tuple(key.name for key in TRIGGERS),
        needs={key.name: AUDIENCE_NEAR.name for key in SCHEDULED},
    ),
    required=True,
)

DAYS = Several(
    "days",
    "Weekdays and spans of them.",
    Value(moments.weekdays, {"type": "string", "pattern": f"^{_DAYS}$"}),
)
HOURS = Several(
    "hours",
    "Spans of local time; past midnight they belong to the day on which they begin.",
    Value(moments.hours, formed(moments.HOURS_FORM, "08:30-10:30", "22:00-02:00")),
)
OPEN = Flag("open", "Only while the store is open.")
OPEN_ON_ARRIVAL = Flag("open_on_arrival", "Only if it is open when the shopper can be there.")
CLOSING_BUFFER = One("closing_buffer", "How long the store must stay open.", duration("0m", "12h"))
HOLIDAYS = One("holidays", "On public holidays of the store: also, not, or only.", choice(*Holidays))
WHEN = Part(
    "when",
    "When it may be made.",
    Section("when", (DAYS, HOURS, OPEN, OPEN_ON_ARRIVAL, CLOSING_BUFFER, HOLIDAYS)),
)

FRESH = One("fresh", "How old the sighting may be; 5m unless given.", duration("1m", "10m"))
PER_SHOPPER = One("per_shopper", "How often one shopper gets this offer.", _RATE)
STORE_PACE = One("store_pace", "How many of this offer are sent for one store.", _RATE)
SMS_PARTS = One(
    "sms_parts", "How many parts an SMS may have at its longest; 3 unless given.", integer(1, MOST_SMS_PARTS)
)
LIMITS = Part("limits", "How often.", Section("limits", (PER_SHOPPER, STORE_PACE, SMS_PARTS)))
CHANNELS = Several(
    "channels", "By preference; a shopper gets the first that she accepts.", choice(*Channel), required=True
)
VALID_FOR = One(
    "valid_for", "How long the message may be delivered; 45m unless given.", duration("1m", "30d")
)

VALUE = One("value", "What it is worth.", _MONEY, required=True)
MIN_BASKET = One("min_basket", "From which basket on.", _MONEY)
EXPIRES = One(
    "expires",
    "How long it is good, or `closing`.",
    Value(_expires, {"anyOf": [EXPIRY.schema, {"const": _CLOSING}]}),
    required=True,
)
STOCK = One("stock", "How many of the offer may be issued.", integer(1, 100_000_000))
COUPON = Part(
    "coupon", "What the shopper gets at the till.", Section("coupon", (VALUE, MIN_BASKET, EXPIRES, STOCK))
)

TITLE = Words("title", "By language, as the body.", LONGEST_TITLE)
BODY = Words("body", "By language; the first is for everybody else.", LONGEST_TEXT, required=True)
PUSH = Part("push", "A notification.", Section("push", (TITLE, BODY)))
SMS = Words("sms", "By language; names the sender and how to stop.", LONGEST_TEXT)
WEBHOOK = Words("webhook", "By language.", LONGEST_TEXT)
MESSAGE = Part("message", "The words, by channel.", Section("message", (PUSH, SMS, WEBHOOK)), required=True)
TRANSLITERATE = One(
    "transliterate",
    "How an SMS is spelt to need fewer parts: `smart` replaces signs, `plain` accents too that an SMS lacks.",
    choice(*Transliterate),
)

AN_OFFER = Section(
    "an offer",
    (
        *(OFFER, PRIORITY, FROM, UNTIL, TRIGGER, WHEN, FRESH, AUDIENCE, LIMITS, CHANNELS, VALID_FOR),
        *(COUPON, MESSAGE, TRANSLITERATE),
    ),
)
OFFERS = Parts("offers", "At least one.", AN_OFFER, required=True)
A_CAMPAIGN = Section(
    "a campaign",
    (
        *(CAMPAIGN, NAME, TAGS, TIMEZONE, FROM, UNTIL, STORES, HOLDOUT, BUDGET, ATTRIBUTION, SEGMENTS),
        OFFERS,
    ),
)
