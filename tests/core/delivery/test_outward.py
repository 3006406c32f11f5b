"""Can an address of a webhook lead into the house? Whatever it is, and however it is written."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from m2s.core.base.errors import Invalid
from m2s.core.delivery.outward import Outward, Target

PUBLIC = Outward()
LOOPBACK = Outward((ip_network("127.0.0.0/8"), ip_network("::1/128")))


@pytest.mark.parametrize(
    "address",
    [
        *(
            "0.0.0.0",  # noqa: S104  it is refused
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
        ),
        *("192.0.0.8", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "203.0.113.9"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
        *(
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "2002:7f00:1::",
            "fc00::1",
        ),
        *("fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1"),
    ],
)
def test_an_address_that_is_not_of_the_public_internet_is_not_called(address: str) -> None:
    assert PUBLIC.flaw_of(ip_address(address)) is not None


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4007:80e::200e", "::ffff:8.8.8.8"],
)
def test_an_address_of_the_public_internet_is_called(address: str) -> None:
    assert PUBLIC.flaw_of(ip_address(address)) is None


def test_networks_of_ones_own_are_called_and_their_neighbours_are_not() -> None:
    own = Outward((ip_network("10.1.0.0/16"),))
    assert own.flaw_of(ip_address("10.1.2.3")) is None
    assert own.flaw_of(ip_address("::ffff:10.1.2.3")) is None
    assert own.flaw_of(ip_address("10.2.0.1")) is not None
    assert own.flaw_of(ip_address("127.0.0.1")) is not None


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://shop.example/m2s", Target("shop.example", 443, True)),
        ("https://Shop.Example:443/a?b=c", Target("shop.example", 443, True)),
        ("https://xn--bcker-gra.example/", Target("xn--bcker-gra.example", 443, True)),
        ("https://[2606:4700:4700::1111]/", Target("2606:4700:4700::1111", 443, True)),
        ("https://8.8.8.8/", Target("8.8.8.8", 443, True)),
    ],
)
def test_a_public_address_over_tls_is_taken(url: str, target: Target) -> None:
    assert PUBLIC.target(url) == target


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://shop.example/",
            "ftp://shop.example/",
            "file:///etc/passwd",
            "shop.example",
            "",
            "https://",
        ),
        *("https:///m2s", "https://shop.example:8443/", "https://shop.example:0/", "https://shop.example:x/"),
        *(
            "https://shop.example:99999/",
            "https://ann:secret@shop.example/",
            "https://shop.example@10.0.0.1/",
        ),
        *(
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
        ),
        *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://[::1/"),
        *("https://bäcker.example/", "https://sh op.example/", "https://shop.example\\@10.0.0.1/"),
        *(
            "https://shop.example/\r\nx: y",
            "https://shop.example/\x00",
            "https://shop.example./",
            "https://.a/",
        ),
        *("https://shop.example/#part", "http://localhost/", "http://127.0.0.1/", "https://shop_.example/"),
        f"https://shop.example/{'a' * 2_000}",
    ],
)
def test_an_address_that_is_none_or_hides_where_it_leads_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        PUBLIC.target(url)


def test_http_is_for_this_machine_where_it_was_allowed_and_for_nothing_else() -> None:
    assert LOOPBACK.target("http://127.0.0.1:9000/x") == Target("127.0.0.1", 9000, False)
    assert LOOPBACK.target("http://[::1]:9000/x") == Target("::1", 9000, False)
    here = LOOPBACK.target("http://localhost:9000/")
    assert LOOPBACK.checked(here, ["127.0.0.1", "::1"]) == ["127.0.0.1", "::1"]
    with pytest.raises(Invalid, match="http is called nowhere else"):
        LOOPBACK.checked(here, ["8.8.8.8"])
    for url in ("http://shop.example/", "http://8.8.8.8/", "http://10.0.0.1/"):
        with pytest.raises(Invalid):
            LOOPBACK.target(url)


def test_other_ports_are_called_where_they_were_named() -> None:
    assert Outward(ports=frozenset({8443})).target("https://shop.example:8443/").port == 8443
    assert LOOPBACK.target("https://127.0.0.1:9443/").port == 9443


def test_one_bad_address_among_good_ones_is_enough_to_refuse() -> None:
    target = PUBLIC.target("https://shop.example/")
    assert PUBLIC.checked(target, ["8.8.8.8", "2606:4700:4700::1111"]) == ["8.8.8.8", "2606:4700:4700::1111"]
    with pytest.raises(Invalid, match=r"shop\.example: 10\.0\.0\.1"):
        PUBLIC.checked(target, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(Invalid, match="no address"):
        PUBLIC.checked(target, [])


def test_a_password_in_an_address_is_not_told_again() -> None:
    with pytest.raises(Invalid) as found:
        PUBLIC.target("https://ann:s3cret@shop.example/")
    assert "s3cret" not in found.value.detail


def test_networks_are_read_from_texts_and_what_is_none_is_told() -> None:
    read = Outward.of(["10.1.0.0/16", "::1/128"], [8443])
    assert read == Outward((ip_network("10.1.0.0/16"), ip_network("::1/128")), frozenset({8443}))
    for text in ("nonsense", "10.0.0.1/8", ""):
        with pytest.raises(Invalid, match=r"webhook_networks: .* write a network like"):
            Outward.of([text], [])
