"""A server's side of pre-shared keys: which of the offered ones is taken, and whether the client holds it."""

from pellucid.crypto.kdf import constant_time_equal
from pellucid.crypto.suites import SUITES, Suite
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.handshake.client_hello import Request
from pellucid.handshake.effects import Flow, OpenTicket
from pellucid.handshake.flow import ServerHandshake
from pellucid.handshake.offer import truncate
from pellucid.handshake.proofs import Origin
from pellucid.handshake.resume import why_not_resume
from pellucid.identity import VerifiedIdentity
from pellucid.keys import KeySchedule, finished_verify_data
from pellucid.plain import plain
from pellucid.sessions import TicketState

#: How many identities of one ClientHello are looked up. A client has a ticket or two and a PSK or two;
#: each look-up costs a decryption or a call of the application's.
MAX_IDENTITIES = 8


@plain
class SelectedPsk:
    """The PSK that the server takes: which of the client's it is, and who the client was then."""

    index: int
    identity: bytes
    schedule: KeySchedule
    resumes: bool
    origin: Origin | None = None
    client_chain: tuple[bytes, ...] = ()
    client_identity: VerifiedIdentity | None = None

    @property
    def hash_name(self) -> str:
        return self.schedule.suite.hash_name


def select_psk(
    hs: ServerHandshake, request: Request, hash_name: str | None = None
) -> Flow[SelectedPsk | None]:
    """The first PSK of the client's that we know and may use; None leads to a handshake with certificates.

    ``hash_name`` narrows it to one hash. RFC 9846 4.3.11: "Any unknown PSKs [...] SHOULD simply be ignored."
    """
    if request.psks is None:
        return None
    refusals: list[str] = []
    selected: SelectedPsk | None = None
    if not request.accepts_psk_dhe_ke:
        refusals.append("the client wants it without (EC)DHE")
    else:
        for index, offered in enumerate(request.psks.identities[:MAX_IDENTITIES]):
            found = yield from _look_up(hs, request, index, offered.identity, hash_name)
            if isinstance(found, SelectedPsk):
                selected = found
                break
            refusals.append(found)
    if hs.trace:
        hs.trace.choice(
            what="psk",
            ours=[],
            theirs=[f"PSK {index}" for index in range(len(request.psks.identities))],
            chosen="" if selected is None else f"PSK {selected.index}",
            rule="; ".join(refusals) or "the first of the client's that we know",
        )
    return selected


def _look_up(
    hs: ServerHandshake, request: Request, index: int, identity: bytes, hash_name: str | None
) -> Flow[SelectedPsk | str]:
    """The PSK, or why it cannot be used."""
    external = hs.config.find_psk(identity) if hs.config.find_psk else None
    if external is not None:
        suite = _suite_with(hs, request, external.hash_name)
        if suite is None or hash_name not in (None, external.hash_name):
            return "no suite has the PSK's hash"
        return SelectedPsk(index, identity, hs.key_schedule(suite, external.key), resumes=False)
    if hs.config.ticket_keys is None:
        return "unknown"
    state: TicketState | str = yield OpenTicket(identity)
    if isinstance(state, str):
        return state
    hash_of_ticket = SUITES[state.suite].hash_name
    suite = _suite_with(hs, request, hash_of_ticket)
    if suite is None or hash_name not in (None, hash_of_ticket):
        return "no suite has the session's hash"
    refusal, client = yield from why_not_resume(hs, state, request.server_name)
    if refusal:
        return refusal
    schedule = hs.key_schedule(suite, state.secret)
    return SelectedPsk(
        index,
        identity,
        schedule,
        resumes=True,
        origin=Origin(state.authenticated_at or state.created_at, server_identity=state.server_identity),
        client_chain=state.client_chain,
        client_identity=client,
    )


def _suite_with(hs: ServerHandshake, request: Request, hash_name: str) -> Suite | None:
    shared = (code for code in hs.config.parameters.cipher_suites if code in request.hello.cipher_suites)
    return next((SUITES[code] for code in shared if SUITES[code].hash_name == hash_name), None)


def check_binder(hs: ServerHandshake, request: Request, psk: SelectedPsk) -> None:
    """RFC 9846 4.3.11.2: the client holds the key, and this hello is the one that it made.

    Only the binder of the PSK that is taken is looked at, as the RFC advises: others would tell which
    identities exist.
    """
    assert request.psks is not None
    binder_key = psk.schedule.binder_key(external=not psk.resumes)
    truncated = truncate(request.hello.raw, request.psks)
    expected = finished_verify_data(
        psk.hash_name, binder_key, hs.transcript.digest_with(truncated), trace=hs.trace
    )
    found = request.psks.binders[psk.index]
    ok = constant_time_equal(expected, found)
    if hs.trace:
        hs.trace.check(what="psk_binder", expected=expected, found=found, ok=ok)
    if not ok:
        raise PeerMisbehaved(Reason.BAD_PSK_BINDER, "the PSK's binder is not the MAC of this ClientHello")
