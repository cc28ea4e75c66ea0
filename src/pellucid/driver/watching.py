"""Who watches: from the configuration's knob to the view that a connection records into, and what it is told
of the connection as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pellucid.checking import require
from pellucid.codes import SignatureScheme, name_of
from pellucid.config import Config
from pellucid.handshake.flow import AnyHandshake
from pellucid.result import Negotiated

if TYPE_CHECKING:
    from pellucid.trace import TraceView


def trace_view(config: Config, side: Literal["client", "server"]) -> TraceView | None:
    """The view of the configuration's trace for this side, None where nobody watches."""
    trace = config.trace
    if not trace:
        return None
    # A program that watches nothing does not load what it would watch with.
    from pellucid.trace import Trace, TraceView  # noqa: PLC0415

    if isinstance(trace, TraceView):
        return trace
    require(trace is True or isinstance(trace, Trace), "trace", "give a Trace, a view of one, True or False")
    return (Trace() if trace is True else trace).view(side)


def tell_signature(hs: AnyHandshake, scheme: SignatureScheme, signature: bytes) -> None:
    """A signature of ours that came from elsewhere. Only a good one: a wrong one is an error."""
    if hs.trace:
        found = f"{scheme}, {len(signature)} bytes"
        hs.trace.check(what="own_signature", expected="one by our certificate's key", found=found, ok=True)


def agreed(negotiated: Negotiated) -> dict[str, Any]:
    """What the handshake agreed on, in words."""
    scheme = negotiated.signature_scheme
    return {
        "protocol": negotiated.protocol.label,
        "cipher_suite": str(negotiated.cipher_suite),
        "group": str(negotiated.group) if negotiated.group is not None else "",
        "signature_scheme": name_of(scheme, SignatureScheme) if scheme else "",
        "alpn": negotiated.alpn or "",
        "resumed": negotiated.resumed,
        "server_name": negotiated.server_name or "",
        "mutual": negotiated.mutual,
    }
