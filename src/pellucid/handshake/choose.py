"""What to use of what both sides have. Pure functions; each tells the trace its candidates and its rule."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from pellucid.codes import CipherSuite, NamedGroup, ProtocolVersion, Registry, SignatureScheme, name_of
from pellucid.crypto.suites import SUITES, Suite
from pellucid.errors import PeerIncompatible, Reason
from pellucid.identity import Credential
from pellucid.trace import TraceView

Code = TypeVar("Code", bound=Registry)


def first_shared(ours: Iterable[Code], theirs: Iterable[int]) -> Code | None:
    """Our most preferred that the peer has too."""
    offered = set(theirs)
    return next((code for code in ours if code in offered), None)


def names(codes: Iterable[int], registry: type[Registry]) -> list[str]:
    return [name_of(code, registry) for code in codes]


def choose_version(
    ours: Sequence[ProtocolVersion], theirs: Sequence[int], trace: TraceView | None
) -> ProtocolVersion:
    """RFC 9846 4.3.1: the highest that both have."""
    chosen = first_shared(sorted(ours, reverse=True), theirs)
    if trace:
        trace.choice(
            what="version",
            ours=names(ours, ProtocolVersion),
            theirs=names(theirs, ProtocolVersion),
            chosen=str(chosen) if chosen else "",
            rule="the highest version that both have",
        )
    if chosen is None:
        offered = ", ".join(names(theirs, ProtocolVersion))
        wanted = ", ".join(names(ours, ProtocolVersion))
        raise PeerIncompatible(Reason.NO_SHARED_VERSION, f"the client offers {offered}; we accept {wanted}")
    return chosen


def choose_cipher_suite(
    ours: Sequence[CipherSuite], theirs: Sequence[int], hash_name: str | None, trace: TraceView | None
) -> Suite:
    """Our most preferred that the client has too; with a PSK, of those with the PSK's hash."""
    candidates = [code for code in ours if hash_name is None or SUITES[code].hash_name == hash_name]
    chosen = first_shared(candidates, theirs)
    if trace:
        rule = "the server's most preferred that the client offers"
        trace.choice(
            what="cipher_suite",
            ours=names(ours, CipherSuite),
            theirs=names(theirs, CipherSuite),
            chosen=str(chosen) if chosen else "",
            rule=rule if hash_name is None else f"{rule}, with the PSK's hash {hash_name}",
        )
    if chosen is None:
        raise PeerIncompatible(
            Reason.NO_SHARED_CIPHER_SUITE,
            f"the client offers {', '.join(names(theirs, CipherSuite))}; we accept {', '.join(names(ours, CipherSuite))}",
        )
    return SUITES[chosen]


def choose_group(
    ours: Sequence[NamedGroup], theirs: Sequence[int], shares: Iterable[int], trace: TraceView | None
) -> NamedGroup:
    """Our most preferred that the client has too, even where another round trip must fetch the share.

    RFC 9846 4.3.8: servers that respect preferences "SHOULD first select a group based on
    "supported_groups" and then either send a ServerHello or a HelloRetryRequest".
    """
    chosen = first_shared(ours, theirs)
    if trace:
        rule = "the server's most preferred that the client supports"
        if chosen is not None and chosen not in shares:
            rule += "; its share has to be asked for"
        trace.choice(
            what="group",
            ours=names(ours, NamedGroup),
            theirs=names(theirs, NamedGroup),
            chosen=str(chosen) if chosen else "",
            rule=rule,
        )
    if chosen is None:
        raise PeerIncompatible(
            Reason.NO_SHARED_GROUP,
            f"the client offers {', '.join(names(theirs, NamedGroup))}; we accept {', '.join(names(ours, NamedGroup))}",
        )
    return chosen


def choose_alpn(ours: Sequence[str], theirs: Sequence[bytes], trace: TraceView | None) -> str:
    """RFC 7301 3.2: the server's most preferred protocol that the client names."""
    chosen = next((name for name in ours if name.encode() in theirs), None)
    if trace:
        trace.choice(
            what="alpn",
            ours=ours,
            theirs=[name.decode("ascii", "backslashreplace") for name in theirs],
            chosen=chosen or "",
            rule="the server's most preferred that the client offers",
        )
    if chosen is None:
        offered = ", ".join(name.decode("ascii", "backslashreplace") for name in theirs)
        raise PeerIncompatible(
            Reason.NO_SHARED_APPLICATION_PROTOCOL, f"the client offers {offered}; we accept {', '.join(ours)}"
        )
    return chosen


def choose_credential(
    credentials: Sequence[Credential],
    server_name: str | None,
    schemes: Sequence[int],
    authorities: Sequence[bytes],
    trace: TraceView | None,
) -> tuple[Credential, SignatureScheme] | None:
    """The credential to show and the scheme to sign with; None where no key can sign what the peer verifies.

    A credential for the name that was asked for comes before others, one that a named authority issued
    before others again (RFC 9846 4.5.1.2); otherwise the order of the configuration decides.
    """
    wanted = set(authorities)
    usable: list[tuple[tuple[bool, bool], Credential, SignatureScheme]] = []
    for credential in credentials:
        scheme = first_shared(credential.schemes, schemes)
        if scheme is not None:
            named = server_name is None or credential.matches(server_name)
            issued = not wanted or not wanted.isdisjoint(credential.issuers)
            usable.append(((not named, not issued), credential, scheme))
    # min() keeps the first of equals, which is the configuration's order.
    best = min(usable, key=lambda entry: entry[0], default=None)
    chosen = best[1:] if best else None
    if trace:
        _trace_credential(trace, credentials, server_name, schemes, chosen)
    return chosen


def _trace_credential(
    trace: TraceView,
    credentials: Sequence[Credential],
    server_name: str | None,
    schemes: Sequence[int],
    chosen: tuple[Credential, SignatureScheme] | None,
) -> None:
    trace.choice(
        what="certificate" if trace.side == "server" else "client_certificate",
        ours=[credential.subject for credential in credentials],
        theirs=[server_name] if server_name else [],
        chosen=chosen[0].subject if chosen else "",
        rule="the first for the name asked for, whose key signs what the peer verifies",
    )
    trace.choice(
        what="signature_scheme",
        ours=[str(scheme) for scheme in chosen[0].schemes] if chosen else [],
        theirs=names(schemes, SignatureScheme),
        chosen=str(chosen[1]) if chosen else "",
        rule="what the certificate's key prefers of what the peer verifies",
    )
