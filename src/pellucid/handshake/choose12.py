"""What a server of TLS 1.2 chooses: a suite with everything that it needs, since one name stands for it all.

TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    needs a curve that both have, an RSA certificate, and a signature that the client verifies
"""

from dataclasses import dataclass

from pellucid.codes import CipherSuite, NamedGroup, SignatureScheme, names_of
from pellucid.crypto.suites12 import SUITES12, Suite12
from pellucid.errors import PeerIncompatible, Reason
from pellucid.handshake.choose import first_shared
from pellucid.handshake.client_hello12 import Request12
from pellucid.handshake.effects import Flow, KeyNeeds
from pellucid.handshake.flow import ServerHandshake, select_credential12
from pellucid.identity import Credential
from pellucid.messages import extensions as ext

Selected = tuple[Credential, SignatureScheme | None] | None


@dataclass(slots=True)
class Choice12:
    """A suite, and what its key exchange is done with: with RSA, neither ``group`` nor ``scheme``."""

    suite: Suite12
    group: NamedGroup | None
    credential: Credential
    scheme: SignatureScheme | None


def choose12(hs: ServerHandshake, request: Request12) -> Flow[Choice12]:
    """Our most preferred suite that the client offers and for which nothing is missing on either side."""
    credentials: dict[tuple[str, bool], Selected] = {}
    missing: list[str] = []
    chosen: Choice12 | None = None
    for code in hs.config.parameters.suites12:
        if code not in request.hello.cipher_suites:
            continue
        suite = SUITES12[code]
        group = _group(hs, request, suite)
        if group is None and suite.key_exchange != "RSA":
            missing.append(f"{suite}: no group in common")
            continue
        needs = suite.authentication, suite.key_exchange == "RSA"
        if needs not in credentials:
            credentials[needs] = yield from _credential(request, suite)
        selected = credentials[needs]
        if selected is not None:
            chosen = Choice12(suite, group, *selected)
            break
        what = "decrypts" if suite.key_exchange == "RSA" else "fits the client's curves and signature schemes"
        missing.append(f"{suite}: no {suite.authentication} key of ours {what}")
    if hs.trace:
        _trace(hs, request, chosen, missing)
    if chosen is None:
        raise _nothing_in_common(hs, request, missing)
    return chosen


def _group(hs: ServerHandshake, request: Request12, suite: Suite12) -> NamedGroup | None:
    parameters = hs.config.parameters
    if suite.key_exchange == "ECDHE":
        # RFC 8422 4: a client that does not say can do any; P-256 is what all of those have.
        if request.groups is None:
            return NamedGroup.secp256r1 if NamedGroup.secp256r1 in parameters.curves12 else None
        return first_shared(parameters.curves12, request.groups)
    if suite.key_exchange == "DHE":
        # RFC 7919 4: a client that names any group of finite fields wants one of those, or none.
        if any(0x0100 <= group <= 0x01FF for group in request.groups or ()):
            return first_shared(parameters.dh_groups12, request.groups or ())
        return parameters.dh_groups12[0]
    return None


def _credential(request: Request12, suite: Suite12) -> Flow[Selected]:
    authorities = request.hello.extensions.find(ext.CertificateAuthorities)
    needs = KeyNeeds([suite.authentication], suite.key_exchange == "RSA", request.groups)
    return (
        yield from select_credential12(
            request.server_name,
            request.schemes,
            request.certificate_schemes,
            authorities.authorities if authorities else [],
            needs,
        )
    )


def _trace(hs: ServerHandshake, request: Request12, chosen: Choice12 | None, missing: list[str]) -> None:
    assert hs.trace is not None
    rule = "the server's most preferred that the client offers"
    if missing:
        rule += " and both can do (not " + "; not ".join(missing) + ")"
    hs.trace.choice(
        what="cipher_suite",
        ours=[str(code) for code in hs.config.parameters.suites12],
        theirs=names_of(request.hello.cipher_suites, CipherSuite),
        chosen=str(chosen.suite) if chosen else "",
        rule=rule,
    )
    if chosen is not None and chosen.group is not None:
        hs.trace.choice(
            what="group",
            ours=[str(group) for group in hs.config.parameters.groups],
            theirs=names_of(request.groups or [], NamedGroup),
            chosen=str(chosen.group),
            rule="the server's most preferred that the client supports",
        )


def _nothing_in_common(hs: ServerHandshake, request: Request12, missing: list[str]) -> PeerIncompatible:
    if missing:
        return PeerIncompatible(
            Reason.NO_SUITABLE_CERTIFICATE, f"suites in common lack something: {'; '.join(missing)}"
        )
    offered = ", ".join(names_of(request.hello.cipher_suites, CipherSuite))
    accepted = ", ".join(str(code) for code in hs.config.parameters.suites12)
    return PeerIncompatible(
        Reason.NO_SHARED_CIPHER_SUITE, f"the client offers {offered}; we accept {accepted} in TLS 1.2"
    )
