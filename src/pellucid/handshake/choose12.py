"""What a server of TLS 1.2 chooses: a suite with everything that it needs, since one name stands for it all.

TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    needs a curve that both have, an RSA certificate, and a signature that the client verifies
"""

from collections.abc import Sequence

from pellucid.codes import CipherSuite, NamedGroup, SignatureScheme, names_of
from pellucid.crypto.suites12 import SUITES12, Suite12
from pellucid.errors import PeerIncompatible, Reason
from pellucid.handshake.choose import Misfits, first_shared, misfits, trace_credential
from pellucid.handshake.client_hello12 import Request12
from pellucid.handshake.effects import Flow, KeyNeeds, SelectCredential, Selected
from pellucid.handshake.flow import ServerHandshake
from pellucid.identity import Credential
from pellucid.plain import plain


@plain
class Choice12:
    """A suite, and what its key exchange is done with: with RSA, neither ``group`` nor ``scheme``."""

    suite: Suite12
    group: NamedGroup | None
    credential: Credential
    scheme: SignatureScheme | None


def choose12(hs: ServerHandshake, request: Request12, types: Sequence[int]) -> Flow[Choice12]:
    """Our most preferred suite that the client offers and for which nothing is missing on either side.

    One with a certificate for the name that was asked for comes before our own order: with another
    certificate the client could do nothing. ``types``: of certificates, that the client takes (RFC 7250).
    """
    credentials: dict[tuple[str, bool], Selected] = {}
    missing: list[tuple[Suite12, str]] = []
    possible: list[tuple[Misfits, Choice12]] = []
    for code in hs.config.parameters.suites12:
        if code not in request.hello.cipher_suites:
            continue
        suite = SUITES12[code]
        group = _group(hs, request, suite)
        if group is None and suite.key_exchange != "RSA":
            missing.append((suite, NO_GROUP))
            continue
        needs = suite.authentication, suite.key_exchange == "RSA"
        wanted = _wanted(request, suite, types)
        if needs not in credentials:
            credentials[needs] = yield wanted
        selected = credentials[needs]
        if selected is None:
            missing.append((suite, f"no {suite.authentication} key of ours {_inability(hs, suite)}"))
            continue
        found = misfits(selected[0], wanted)
        possible.append((found, Choice12(suite, group, *selected)))
        if not any(found):
            break
    # min() keeps the first of equals, which is our order.
    chosen = min(possible, key=lambda entry: entry[0])[1] if possible else None
    if hs.trace:
        _trace(hs, request, types, chosen, missing)
    if chosen is None:
        raise _nothing_in_common(hs, request, missing)
    return chosen


#: Why a suite cannot be used, in one of the cases.
NO_GROUP = "no group in common"


def _inability(hs: ServerHandshake, suite: Suite12) -> str:
    """What none of our keys can do that the suite needs."""
    if suite.key_exchange != "RSA":
        return "fits the client's curves and signature schemes"
    kind = suite.authentication
    elsewhere = any(one.signer is not None and one.key_kind == kind for one in hs.config.credentials)
    return "decrypts" + " (a function in the place of one only signs)" * elsewhere


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


def _wanted(request: Request12, suite: Suite12, types: Sequence[int]) -> SelectCredential:
    return SelectCredential(
        request.server_name,
        request.schemes,
        request.certificate_schemes,
        request.authorities,
        KeyNeeds([suite.authentication], suite.key_exchange == "RSA", request.groups),
        types,
    )


def _trace(
    hs: ServerHandshake,
    request: Request12,
    types: Sequence[int],
    chosen: Choice12 | None,
    missing: list[tuple[Suite12, str]],
) -> None:
    assert hs.trace is not None
    rule = "the server's most preferred that the client offers"
    if missing:
        rule += f" and both can do (not {_told(missing)})"
    hs.trace.choice(
        what="cipher_suite",
        ours=[str(code) for code in hs.config.parameters.suites12],
        theirs=names_of(request.hello.cipher_suites, CipherSuite),
        chosen=str(chosen.suite) if chosen else "",
        rule=rule,
    )
    if chosen is None:
        return
    selected, wanted = (chosen.credential, chosen.scheme), _wanted(request, chosen.suite, types)
    trace_credential(hs.trace, hs.config.credentials, wanted, selected)
    if chosen.group is not None:
        hs.trace.choice(
            what="group",
            ours=[str(group) for group in hs.config.parameters.groups],
            theirs=names_of(request.groups or [], NamedGroup),
            chosen=str(chosen.group),
            rule="the server's most preferred that the client supports",
        )


def _told(missing: list[tuple[Suite12, str]]) -> str:
    """One line a reason, with the suites that it keeps out: with many suites there are few reasons."""
    by_reason: dict[str, list[str]] = {}
    for suite, why in missing:
        by_reason.setdefault(why, []).append(str(suite))
    return "; ".join(f"{', '.join(suites)}: {why}" for why, suites in by_reason.items())


def _nothing_in_common(
    hs: ServerHandshake, request: Request12, missing: list[tuple[Suite12, str]]
) -> PeerIncompatible:
    if not missing:
        offered = ", ".join(names_of(request.hello.cipher_suites, CipherSuite))
        accepted = ", ".join(str(code) for code in hs.config.parameters.suites12)
        return PeerIncompatible(
            Reason.NO_SHARED_CIPHER_SUITE, f"the client offers {offered}; we accept {accepted} in TLS 1.2"
        )
    reason = Reason.NO_SUITABLE_CERTIFICATE
    if all(why == NO_GROUP for _, why in missing):
        # RFC 7919 4 has an alert of its own for a client of whose finite fields, which are all that is left,
        # none is ours.
        only_dhe = all(suite.key_exchange == "DHE" for suite, _ in missing)
        reason = Reason.NO_SHARED_DH_GROUP if only_dhe else Reason.NO_SHARED_GROUP
    return PeerIncompatible(reason, f"the suites in common lack something: {_told(missing)}")
