"""What to use of what both sides have. Pure functions; each tells the trace its candidates and its rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from pellucid.codes import CipherSuite, NamedGroup, ProtocolVersion, Registry, SignatureScheme, names_of
from pellucid.codes.names import MOST_NAMES
from pellucid.crypto.suites import SUITES, Suite
from pellucid.errors import PeerIncompatible, Reason
from pellucid.handshake.effects import SelectCredential
from pellucid.identity import Credential
from pellucid.messages import Extensions
from pellucid.messages import extensions as ext

if TYPE_CHECKING:
    from pellucid.trace import TraceView

Code = TypeVar("Code", bound=Registry)

# IANA's have 20 characters at most; escaped, 255 bytes could be a thousand of them.
_LONGEST_PROTOCOL_TEXT = 100


def first_shared(ours: Iterable[Code], theirs: Iterable[int]) -> Code | None:
    """Our most preferred that the peer has too."""
    offered = set(theirs)
    for code in ours:
        if code in offered:
            return code
    return None


def choose_version(
    ours: Sequence[ProtocolVersion], theirs: Sequence[int], trace: TraceView | None
) -> ProtocolVersion:
    """RFC 9846 4.3.1: the highest that both have."""
    chosen = first_shared(sorted(ours, reverse=True), theirs)
    rule = "the highest version that both have"
    return _agree("version", ours, theirs, chosen, rule, Reason.NO_SHARED_VERSION, trace)


def choose_cipher_suite(
    ours: Sequence[CipherSuite], theirs: Sequence[int], hash_name: str | None, trace: TraceView | None
) -> Suite:
    """Our most preferred that the client has too; with a PSK, of those with the PSK's hash."""
    candidates = [code for code in ours if hash_name is None or SUITES[code].hash_name == hash_name]
    rule = "the server's most preferred that the client offers"
    if hash_name is not None:
        rule += f", with the PSK's hash {hash_name}"
    chosen = first_shared(candidates, theirs)
    return SUITES[_agree("cipher_suite", ours, theirs, chosen, rule, Reason.NO_SHARED_CIPHER_SUITE, trace)]


def choose_group(
    ours: Sequence[NamedGroup], theirs: Sequence[int], shares: Iterable[int], trace: TraceView | None
) -> NamedGroup:
    """Our most preferred that the client has too, even where another round trip must fetch the share.

    RFC 9846 4.3.8: servers that respect preferences "SHOULD first select a group based on
    "supported_groups" and then either send a ServerHello or a HelloRetryRequest".
    """
    chosen = first_shared(ours, theirs)
    rule = "the server's most preferred that the client supports"
    if chosen is not None and chosen not in shares:
        rule += "; its share has to be asked for"
    return _agree("group", ours, theirs, chosen, rule, Reason.NO_SHARED_GROUP, trace)


def _agree(
    what: str,
    ours: Sequence[Code],
    theirs: Sequence[int],
    chosen: Code | None,
    rule: str,
    otherwise: Reason,
    trace: TraceView | None,
) -> Code:
    """``chosen``, told to the trace; with nothing in common, the error that tells both lists."""
    if trace or chosen is None:
        registry = type(ours[0])
        our_names, their_names = names_of(ours, registry), names_of(theirs, registry)
        if trace:
            trace.choice(
                what=what,
                ours=our_names,
                theirs=their_names,
                chosen="" if chosen is None else str(chosen),
                rule=rule,
            )
        if chosen is None:
            offered, accepted = ", ".join(their_names), ", ".join(our_names)
            raise PeerIncompatible(otherwise, f"the client offers {offered}; we accept {accepted}")
    return chosen


def agree_on_protocol(ours: Sequence[str], asked: Extensions, trace: TraceView | None) -> str | None:
    """The application protocol; None where one side names none."""
    offered = asked.find(ext.ProtocolNameList)
    return choose_alpn(ours, offered.protocol_name_list, trace) if offered and ours else None


def choose_alpn(ours: Sequence[str], theirs: Sequence[bytes], trace: TraceView | None) -> str:
    """RFC 7301 3.2: the server's most preferred protocol that the client names."""
    chosen = next((name for name in ours if name.encode() in theirs), None)
    their_names = [protocol_text(name) for name in theirs[:MOST_NAMES]]
    if trace:
        trace.choice(
            what="alpn",
            ours=ours,
            theirs=their_names,
            chosen=chosen or "",
            rule="the server's most preferred that the client offers",
        )
    if chosen is None:
        offered = ", ".join(their_names)
        raise PeerIncompatible(
            Reason.NO_SHARED_APPLICATION_PROTOCOL, f"the client offers {offered}; we accept {', '.join(ours)}"
        )
    return chosen


def require_certificate_for(credentials: Sequence[Credential], name: str | None) -> None:
    """For a server that is strict: refuse a name that none of the credentials has."""
    if not has_certificate_for(credentials, name):
        raise PeerIncompatible(Reason.UNRECOGNIZED_NAME, f"we have no certificate for {name!r}")


def has_certificate_for(credentials: Sequence[Credential], name: str | None) -> bool:
    """Whether one is for the name that the client asks for; True where it names none."""
    return name is None or any(credential.matches(name) for credential in credentials)


def protocol_text(name: bytes) -> str:
    """An application protocol's name for people: escaped where it is not printable ASCII, cut when long."""
    text = name.decode("latin-1").encode("unicode_escape").decode("ascii")
    return text if len(text) <= _LONGEST_PROTOCOL_TEXT else text[: _LONGEST_PROTOCOL_TEXT - 3] + "..."


def choose_credential(
    credentials: Sequence[Credential], wanted: SelectCredential, trace: TraceView | None
) -> tuple[Credential, SignatureScheme | None] | None:
    """The credential to show and the scheme to sign with; None where no key can do what is wanted.

    RFC 9846 4.5.1.2: a credential for the name that was asked for comes before others, one whose chain the
    peer can verify before others again, then one that a named authority issued; otherwise the order of the
    configuration decides. Before all that comes the kind that the peer prefers (RFC 7250).
    """
    usable: list[tuple[Misfits, Credential, SignatureScheme | None]] = []
    for credential in credentials:
        can, scheme = _ability(credential, wanted)
        if can:
            found = misfits(credential, wanted)
            usable.append((found, credential, scheme))
    # min() keeps the first of equals, which is the configuration's order.
    best = min(usable, key=lambda entry: entry[0], default=None)
    chosen = best[1:] if best else None
    if trace:
        trace_credential(trace, credentials, wanted, chosen)
    return chosen


#: Of how many kinds that the peer likes better, for another name, not to be verified by the peer, by none of
#: the authorities that it trusts: fewest first.
Misfits = tuple[int, bool, bool, bool]


def misfits(credential: Credential, wanted: SelectCredential) -> Misfits:
    """In what a credential that can be used is not what the peer would like best."""
    verifiable, name = set(wanted.certificate_schemes), wanted.server_name
    issued = bool(wanted.authorities) and bool(credential.issuers)
    return (
        wanted.types.index(credential.certificate_type),
        name is not None and not credential.matches(name),
        any(verifiable.isdisjoint(any_of) for any_of in credential.chain_schemes),
        issued and credential.issuers.isdisjoint(wanted.authorities),
    )


def _ability(credential: Credential, wanted: SelectCredential) -> tuple[bool, SignatureScheme | None]:
    """Whether the key can do it, and the scheme to sign with."""
    if credential.certificate_type not in wanted.types:
        return False, None
    needs = wanted.needs
    if needs is None:
        scheme = first_shared(credential.schemes, wanted.schemes)
        return scheme is not None, scheme
    if credential.key_kind not in needs.kinds:
        return False, None
    if needs.decrypts:
        return credential.can_decrypt, None
    if needs.curves is not None and credential.curve is not None and credential.curve not in needs.curves:
        # RFC 8422 5.1: the curve of the certificate's key is negotiated with the others.
        return False, None
    scheme = first_shared(credential.schemes12, wanted.schemes)
    return scheme is not None and credential.can_sign, scheme


def trace_credential(
    trace: TraceView,
    credentials: Sequence[Credential],
    wanted: SelectCredential,
    chosen: tuple[Credential, SignatureScheme | None] | None,
) -> None:
    """Tell of the certificate that is shown, and of the scheme that its key signs with."""
    decrypts = wanted.needs is not None and wanted.needs.decrypts
    name = wanted.server_name
    does = "decrypts" if decrypts else "signs what the peer verifies"
    rule = f"the first whose key {does}"
    if chosen and name is not None:
        fits = chosen[0].matches(name)
        rule = (
            f"the first for the name asked for, whose key {does}" if fits else f"{rule} (none has the name)"
        )
    trace.choice(
        what="certificate" if trace.side == "server" else "client_certificate",
        ours=[credential.subject for credential in credentials],
        theirs=[name] if name else [],
        chosen=chosen[0].subject if chosen else "",
        rule=rule,
    )
    if decrypts:
        return
    ours = (chosen[0].schemes if wanted.needs is None else chosen[0].schemes12) if chosen else ()
    trace.choice(
        what="signature_scheme",
        ours=[str(scheme) for scheme in ours],
        theirs=names_of(wanted.schemes, SignatureScheme),
        chosen=str(chosen[1]) if chosen else "",
        rule="what the certificate's key prefers of what the peer verifies",
    )
