"""How does a till read a coupon from a screen? Its code as a QR symbol in SVG."""

import io

import segno

_QUIET_ZONE_MODULES = 4


def coupon_svg(code: str) -> str:
    """The QR code of a coupon code as an SVG document that scales to its place.

    Black on its own white ground with the quiet zone of four modules (ISO/IEC 18004), so that it can be scanned on a
    dark page too.
    """
    buffer = io.BytesIO()
    segno.make_qr(code, error="m").save(
        buffer,
        kind="svg",
        border=_QUIET_ZONE_MODULES,
        dark="#000",
        light="#fff",
        xmldecl=False,
        omitsize=True,
        title=code,
    )
    return buffer.getvalue().decode("utf-8")
