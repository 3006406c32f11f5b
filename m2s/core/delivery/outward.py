"""Where may the service call somebody's own system? Only addresses of the public internet, unless the house says else.

A name can lead anywhere, so it is not the name that is judged but every address that it leads to, at every call.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self
from urllib.parse import SplitResult, urlsplit

from m2s.core.base.errors import Invalid

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_LIKE = "write it like https://shop.example/m2s"
_MOST_CHARACTERS = 2_000
_HTTP_PORT, _HTTPS_PORT = 80, 443
_IPV6_OF_THE_INTERNET = ip_network("2000::/3")
# Protocols of the network itself, ways to write an IPv4 address inside another, to which a router may send on, and
# addresses for examples, which not every Python knows.
_REFUSED = tuple(
    ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "2001::/32", "2002::/16", "3fff::/20")
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where an address of the web leads: the host as it is written, and whether the way is TLS."""

    host: str
    port: int
    secure: bool


@dataclass(frozen=True, slots=True)
class Outward:
    """What may be called besides port 443 of the public internet: networks of one's own, and other ports."""

    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset()

    @classmethod
    def of(cls, networks: Iterable[str], ports: Iterable[int]) -> Self:
        """The same of texts, as settings have them. Raises Invalid for one that is no network."""
        return cls(tuple(_network(text) for text in networks), frozenset(ports))

    def target(self, url: str) -> Target:
        """Where a URL leads. Raises Invalid for one that may not be called, whatever its host's addresses are."""
        parts = _split(url)
        host, secure = str(parts.hostname), parts.scheme == "https"
        try:
            port = parts.port
        except ValueError:
            raise Invalid(f"url {url!r}: the port is none; {_LIKE}") from None
        if port is None:
            port = _HTTPS_PORT if secure else _HTTP_PORT
        literal = _literal(host)
        if literal is None and (not _HOST.fullmatch(host) or _NUMBER.fullmatch(host.rpartition(".")[2])):
            raise Invalid(f"url {url!r}: {host!r} is neither a name (in ASCII: xn--…) nor an IP address")
        if not secure and not self._is_own_loopback(host, literal):
            raise Invalid(
                f"url {url!r}: only https is called, and http on this machine where `webhook_networks` has it"
            )
        flaw = None if literal is None else self.flaw_of(literal)
        if flaw is not None:
            raise Invalid(f"url {url!r}: {flaw}")
        if secure and not self._port_is_open(port, literal):
            raise Invalid(
                f"url {url!r}: port {port} is not called; use 443, or name the port in `webhook_ports`"
            )
        return Target(host, port, secure)

    def checked(self, target: Target, addresses: Iterable[str]) -> list[str]:
        """The addresses that a target's host leads to. Raises Invalid when there is none or any may not be called."""
        found = [ip_address(text) for text in addresses]
        if not found:
            raise Invalid(f"{target.host} has no address")
        for address in found:
            flaw = self.flaw_of(address)
            if flaw is None and not target.secure and not address.is_loopback:
                flaw = f"{address} is not this machine, and http is called nowhere else"
            if flaw is not None:
                raise Invalid(f"{target.host}: {flaw}")
        return [str(address) for address in found]

    def flaw_of(self, address: Address) -> str | None:
        """Why an address may not be called; None when it may."""
        plain = address
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            plain = address.ipv4_mapped
        if any(plain in network for network in self.networks):
            return None
        refused = (
            not plain.is_global
            or plain.is_multicast
            or plain.is_reserved
            or plain.is_unspecified
            or (plain.version == 6 and plain not in _IPV6_OF_THE_INTERNET)
            or any(plain in network for network in _REFUSED)
        )
        if refused:
            return f"{address} is not an address of the public internet; `webhook_networks` can allow it"
        return None

    def _port_is_open(self, port: int, literal: Address | None) -> bool:
        own = literal is not None and any(literal in network for network in self.networks)
        return own or port == _HTTPS_PORT or port in self.ports

    def _is_own_loopback(self, host: str, literal: Address | None) -> bool:
        if not any(network.is_loopback for network in self.networks):
            return False
        return host == "localhost" or (literal is not None and literal.is_loopback)


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise Invalid(f"webhook_networks: {error}; write a network like 10.0.0.0/8") from None


def _split(url: str) -> SplitResult:
    if len(url) > _MOST_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise Invalid(
            f"url: at most {_MOST_CHARACTERS} characters, all printable ASCII without spaces or backslashes; {_LIKE}"
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Invalid(f"url {url!r} is no address; {_LIKE}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(f"url {url!r} is no address of the web; {_LIKE}")
    if "@" in parts.netloc:
        raise Invalid(
            f"url of {parts.hostname}: it holds a name or a password; leave them out, requests are signed"
        )
    if parts.fragment:
        raise Invalid(f"url {url!r}: leave out what is after #, it would never be sent")
    return parts


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
