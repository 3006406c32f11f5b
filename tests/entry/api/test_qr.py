"""Can a till read a coupon's QR code on any page?"""

from __future__ import annotations

import xml.etree.ElementTree as ET

import segno

from m2s.entry.api.qr import coupon_svg

CODE = "UF4V-WK7F-P2QG"
_SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_is_black_on_its_own_white_ground_and_scales() -> None:
    root = ET.fromstring(coupon_svg(CODE))  # noqa: S314
    assert root.tag == f"{_SVG}svg"
    assert "viewBox" in root.attrib
    assert "width" not in root.attrib
    ground, modules = root.findall(f".//{_SVG}path")
    assert ground.get("fill") == "#fff"
    assert modules.get("stroke") == "#000"


def test_four_modules_of_quiet_zone_surround_the_symbol() -> None:
    symbol = segno.make_qr(CODE, error="m")
    width = symbol.symbol_size(border=4)[0]
    assert ET.fromstring(coupon_svg(CODE)).get("viewBox") == f"0 0 {width} {width}"  # noqa: S314


def test_two_codes_give_two_pictures() -> None:
    assert coupon_svg(CODE) != coupon_svg("2222-2222-2222")
