"""The group of a TLS 1.2 key exchange, which the server names in its ServerKeyExchange."""

from __future__ import annotations

from pellucid.codes import NamedGroup, name_of
from pellucid.crypto.dh12 import MAXIMUM_BITS, MINIMUM_BITS, group_name
from pellucid.crypto.groups_known import known_group
from pellucid.decode.flow import Watched
from pellucid.messages import extensions as ext
from pellucid.messages import tls12

__all__ = ["take_group", "tell_group"]


def take_group(w: Watched, share: tls12.ServerKeyExchange) -> str:
    """The name of the group, which is looked at if it is the server's own; "" where there is none."""
    if isinstance(share, tls12.ServerKeyExchangeECDHE):
        name = name_of(share.params.named_curve, NamedGroup)
        w.agreed["group"] = name
        return name
    return _look_at_field(w, share.params) if isinstance(share, tls12.ServerKeyExchangeDHE) else ""


def tell_group(w: Watched, name: str) -> None:
    """The client goes on with it, and answers with a share of its own."""
    offer = w.hello.extensions.find(ext.NamedGroupList) if w.hello else None
    ours = [name_of(group, NamedGroup) for group in offer.named_group_list] if offer else []
    w.view("client").choice(what="group", ours=ours, chosen=name, rule="the server chose it")


def _look_at_field(w: Watched, params: tls12.ServerDHParams) -> str:
    """Logjam: a group of finite fields is the server's own choice, and worth a look.

    Whether a prime that nobody knows is safe is not tested: that takes seconds, and a capture has thousands.
    """
    prime, name = int.from_bytes(params.dh_p, "big"), group_name(params.dh_p)
    strong = MINIMUM_BITS <= prime.bit_length() <= MAXIMUM_BITS
    known = known_group(prime) if strong else None
    found = name if known is not None or not strong else f"{name}, whose prime was not tested"
    w.view("client").check(what="dh_group", expected="a strong group", found=found, ok=strong)
    if known is not None and known.group is not None and int.from_bytes(params.dh_g, "big") == 2:
        w.agreed["group"] = str(known.group)
    return name
