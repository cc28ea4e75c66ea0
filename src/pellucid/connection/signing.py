"""A connection that waits for something besides messages: a signature, because the key is elsewhere and takes
its time, or the word of an authority that is asked over the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from pellucid.errors import Misuse, Reason
from pellucid.events import SignatureWanted, StatusWanted
from pellucid.identity.signers import failed

if TYPE_CHECKING:
    from pellucid.driver import Driver
    from pellucid.events import Event

#: A peer has little to say before it has our answer: a server none of the client's data, a client some
#: tickets and what the server's application says first. More is held only as far as the last call brought it.
MAX_HELD_BYTES = 2**17


class Signing:
    """The part of ``Connection`` that deals with signers, and with whoever is asked about certificates."""

    _driver: Driver

    def _go_on(self) -> None:
        raise NotImplementedError

    def _fail_with(self, error: BaseException) -> None:
        raise NotImplementedError

    @property
    def defers_signing(self) -> bool:
        """Whether all signers are left to the caller, which ``SignatureWanted`` tells; False by default.

        False: a credential's function is called within ``receive_data``, and only a coroutine function, which
        cannot be called there, is left to the caller.
        """
        return self._driver.defers_signing

    @defers_signing.setter
    def defers_signing(self, defers: bool) -> None:
        self._driver.defers_signing = defers

    @property
    def signature_wanted(self) -> SignatureWanted | None:
        """The signature that the handshake waits for, if it does: the latest ``SignatureWanted``.

        Until it is there what is received is kept and not looked at.
        """
        wanted = self._driver.wanted
        return wanted if isinstance(wanted, SignatureWanted) else None

    def provide_signature(self, signature: bytes) -> list[Event]:
        """Give the signature that is wanted. The handshake goes on: returns events as ``receive_data`` does.

        Raises ``Misuse`` (``signing_failed``) if it is not a good one, which ends the connection: nothing of
        it is sent, and ``data_to_send`` has the alert. If none is wanted that is raised, too, and nothing
        ends. Faults of the peer's in what came meanwhile are raised as by ``receive_data``.
        """
        return self._answer(self._wanted(), signature)

    def refuse_signature(self, why: BaseException | str) -> NoReturn:
        """There will be no signature, for this reason: raises ``Misuse`` (``signing_failed``) that tells it.

        That ends the connection; ``data_to_send`` has the alert. The reason is not told to the peer.
        """
        wanted = self._wanted()
        error = failed(wanted.credential, wanted.scheme, why)
        if isinstance(why, BaseException):
            error.__cause__ = why
        self._answer(wanted, error)
        raise AssertionError("a flow went on without the signature that it asked for")

    def _wanted(self) -> SignatureWanted:
        wanted = self.signature_wanted
        if wanted is None:
            raise Misuse(Reason.SIGNING_FAILED, "the connection waits for no signature")
        return wanted

    @property
    def defers_status(self) -> bool:
        """Whether to ask the configuration's ``revocation_source`` is left to the caller, as ``StatusWanted``
        tells. False by default: it is called within ``receive_data``, which waits for it.
        """
        return self._driver.defers_status

    @defers_status.setter
    def defers_status(self, defers: bool) -> None:
        self._driver.defers_status = defers

    @property
    def status_wanted(self) -> StatusWanted | None:
        """What authorities are to be asked before the handshake goes on, if anything: the latest
        ``StatusWanted``. Until ``take_status`` what is received is kept and not looked at.
        """
        wanted = self._driver.wanted
        return wanted if isinstance(wanted, StatusWanted) else None

    def take_status(self) -> list[Event]:
        """Go on after ``status_wanted.ask()``: returns events as ``receive_data`` does.

        Raises ``CertificateRejected`` for a peer that is revoked, and faults in what came meanwhile, as
        ``receive_data`` does. ``Misuse`` if nothing is wanted, or nobody has asked yet; nothing ends then.
        """
        wanted = self.status_wanted
        if wanted is None or not wanted.asked:
            why = (
                "the connection does not wait for it" if wanted is None else "call status_wanted.ask() first"
            )
            raise Misuse(Reason.HANDSHAKE_NOT_COMPLETE, f"there is no status to take: {why}")
        return self._answer(wanted, None)

    def _answer(self, wanted: SignatureWanted | StatusWanted, given: object) -> list[Event]:
        try:
            self._driver.take_answer(wanted, given)
            self._go_on()
        except BaseException as error:
            self._fail_with(error)
            raise
        return self._driver.take_events()

    def _hold(self, data: bytes | bytearray | memoryview) -> None:
        """Keep what came while something else is awaited."""
        reader = self._driver.reader
        if reader.buffered >= MAX_HELD_BYTES:
            what = "the signature" if self.signature_wanted else "what authorities say"
            detail = f"{reader.buffered} bytes wait for {what} already: read on when it is there"
            raise Misuse(Reason.HANDSHAKE_NOT_COMPLETE, detail)
        reader.feed(data)
