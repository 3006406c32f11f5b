"""Which country does a phone number belong to? Only where its calling code tells it without doubt."""

_COUNTRIES = {
    "20": "EG", "27": "ZA", "30": "GR", "31": "NL", "32": "BE", "33": "FR", "34": "ES", "36": "HU", "39": "IT",
    "40": "RO", "41": "CH", "43": "AT", "44": "GB", "45": "DK", "46": "SE", "47": "NO", "48": "PL", "49": "DE",
    "51": "PE", "52": "MX", "54": "AR", "55": "BR", "56": "CL", "57": "CO", "60": "MY", "61": "AU", "62": "ID",
    "63": "PH", "64": "NZ", "65": "SG", "66": "TH", "81": "JP", "82": "KR", "84": "VN", "86": "CN", "90": "TR",
    "91": "IN", "212": "MA", "213": "DZ", "216": "TN", "221": "SN", "225": "CI", "237": "CM", "262": "RE",
    "351": "PT", "352": "LU", "353": "IE", "354": "IS", "356": "MT", "357": "CY", "358": "FI", "359": "BG",
    "370": "LT", "371": "LV", "372": "EE", "376": "AD", "377": "MC", "385": "HR", "386": "SI", "420": "CZ",
    "421": "SK", "423": "LI", "508": "PM", "590": "GP", "594": "GF", "596": "MQ", "681": "WF", "687": "NC",
    "689": "PF", "852": "HK", "971": "AE", "972": "IL",
}  # fmt: skip
"""Country calling codes of ITU-T E.164; +1 and +7 are left out because several countries share them."""

_LONGEST = 3


def country_of(phone: str) -> str | None:
    """The ISO 3166 letters of an E.164 number's country; None where the code is shared or not listed."""
    digits = phone.removeprefix("+")
    codes = (digits[:length] for length in range(_LONGEST, 0, -1))
    return next((_COUNTRIES[code] for code in codes if code in _COUNTRIES), None)
