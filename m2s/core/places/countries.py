"""Which country is a time zone in? For stores that do not say; the time zone database's table, shortened."""

_ZONES = """
AD Europe/Andorra|AL Europe/Tirane|AT Europe/Vienna|BA Europe/Sarajevo|BE Europe/Brussels|BG Europe/Sofia
CH Europe/Zurich|CY Asia/Nicosia|CZ Europe/Prague|DE Europe/Berlin|DE Europe/Busingen
DK Europe/Copenhagen|EE Europe/Tallinn|ES Europe/Madrid|ES Africa/Ceuta|ES Atlantic/Canary
FI Europe/Helsinki|FR Europe/Paris|GB Europe/London|GG Europe/Guernsey|GI Europe/Gibraltar
GR Europe/Athens|HR Europe/Zagreb|HU Europe/Budapest|IE Europe/Dublin|IM Europe/Isle_of_Man
IS Atlantic/Reykjavik|IT Europe/Rome|JE Europe/Jersey|LI Europe/Vaduz|LT Europe/Vilnius
LU Europe/Luxembourg|LV Europe/Riga|MC Europe/Monaco|MD Europe/Chisinau|ME Europe/Podgorica
MK Europe/Skopje|MT Europe/Malta|NL Europe/Amsterdam|NO Europe/Oslo|PL Europe/Warsaw|PT Europe/Lisbon
PT Atlantic/Madeira|PT Atlantic/Azores|RO Europe/Bucharest|RS Europe/Belgrade|SE Europe/Stockholm
SI Europe/Ljubljana|SK Europe/Bratislava|SM Europe/San_Marino|TR Europe/Istanbul|UA Europe/Kyiv
VA Europe/Vatican|BL America/St_Barthelemy|GF America/Cayenne|GP America/Guadeloupe|MF America/Marigot
MQ America/Martinique|NC Pacific/Noumea|PF Pacific/Tahiti|PM America/Miquelon|RE Indian/Reunion
WF Pacific/Wallis|YT Indian/Mayotte|AE Asia/Dubai|AU Australia/Sydney|AU Australia/Melbourne
AU Australia/Brisbane|AU Australia/Perth|BR America/Sao_Paulo|BR America/Maceio|CA America/Toronto
CA America/Vancouver|CA America/Edmonton|FJ Pacific/Fiji|IL Asia/Jerusalem|IN Asia/Kolkata|JP Asia/Tokyo
KR Asia/Seoul|MA Africa/Casablanca|MX America/Mexico_City|NZ Pacific/Auckland|SG Asia/Singapore
TN Africa/Tunis|US America/New_York|US America/Chicago|US America/Denver|US America/Phoenix
US America/Los_Angeles|ZA Africa/Johannesburg
"""

COUNTRY_OF_TIMEZONE = {
    timezone: country
    for country, timezone in (
        entry.split() for line in _ZONES.split("\n") for entry in line.split("|") if entry
    )
}
"""ISO 3166-1 alpha-2 by IANA time zone: Europe whole, French overseas, the larger zones elsewhere."""
