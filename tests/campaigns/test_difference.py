from __future__ import annotations

from campaigns.difference import differences
from tests.data import ROOT

TEXT = (ROOT / "campaigns/examples/croissant-november.yaml").read_text(encoding="utf-8")


def test_a_changed_value_is_told_by_its_key_with_both_texts() -> None:
    changed = TEXT.replace("valid_for: 45m", "valid_for: 1h")
    assert differences(TEXT, changed) == ["offers.warm-croissant.valid_for: 45m → 1h"]


def test_what_is_new_and_what_is_gone_is_told_with_its_value() -> None:
    line = "    valid_for: 45m\n"
    assert line in TEXT
    assert differences(TEXT, TEXT.replace(line, "    channels_tried: [push, sms]\n")) == [
        "- offers.warm-croissant.valid_for: 45m",
        "+ offers.warm-croissant.channels_tried: [push, sms]",
    ]


def test_layout_comments_and_the_order_of_offers_are_no_difference() -> None:
    other = "campaign: c\noffers:\n  - {offer: a, fresh: 1m}\n  - {offer: b, fresh: 2m}\n"
    same = "# a comment\noffers:\n- offer: b\n  fresh: 2m\n- offer: a\n  fresh: 1m\ncampaign: c\n"
    assert differences(other, same) == []
