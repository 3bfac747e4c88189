"""Addresses of clients: whose a request is, and who is trusted to say so."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

HOPS: Final = 20
"""Proxies that a request may have come through: what X-Forwarded-For says of more is not read."""


@dataclass(frozen=True, slots=True)
class Networks:
    """Single addresses and networks; without `networks`, nobody."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Networks":
        """From `127.0.0.1 10.0.0.0/8`, or `none`; ValueError says what is expected."""
        try:
            return cls(tuple(map(ip_network, text.replace("none", "").split())))
        except ValueError:
            expected = "addresses and networks, such as 127.0.0.1 10.0.0.0/8, or none"
            raise ValueError(expected) from None

    def __str__(self) -> str:
        return " ".join(map(str, self.networks)) or "none"

    def __contains__(self, address: str) -> bool:
        read = _read(address)
        return read is not None and any(read in network for network in self.networks)


def client_address(peer: str, headers: Iterable[tuple[bytes, bytes]], trusted: Networks) -> str:
    """
    Where a request comes from: its peer's address, or what trusted proxies say it is.

    A proxy adds to the end of X-Forwarded-For from whom it has the request. So the header is read
    from its end, for as long as whoever wrote there is trusted; before that anybody may have
    written anything.
    """
    address = peer
    if address not in trusted:
        return address
    said = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    for hop in reversed(said.rsplit(b",", HOPS)[-HOPS:]):
        before = _read(_without_port(hop.decode("latin-1").strip()))
        if before is None:  # nobody knows who that was
            break
        address = str(before)
        if address not in trusted:
            break
    return address


def client_scheme(peer: str, headers: Iterable[tuple[bytes, bytes]], trusted: Networks) -> str:
    """`https` where a trusted proxy says that it was asked by that (X-Forwarded-Proto), else ""."""
    said = [value for name, value in headers if name == b"x-forwarded-proto"]
    first = said[0].partition(b",")[0].strip().lower() if said else b""
    return "https" if first == b"https" and peer in trusted else ""


def home_of(address: str) -> str:
    """What belongs to one client: an IPv4 address, or all that begin as an IPv6 one does (/64)."""
    read = _read(address)
    if isinstance(read, IPv6Address):
        return str(IPv6Network((read, 64), strict=False))
    return address


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """The address that is written there; an IPv4 one also where it is written as IPv6."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _without_port(hop: str) -> str:
    """The address alone, of `192.0.2.1:443`, `[2001:db8::1]:443` or `[2001:db8::1]`."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
