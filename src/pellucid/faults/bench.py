"""What faults are made of: a laboratory that makes mistakes, a stranger's, and a server that works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from pellucid.config import ServerConfig
from pellucid.identity import Credential
from pellucid.identity.lab import Issued
from pellucid.identity.lab_defects import DefectiveLaboratory

__all__ = ["Bench"]


class Bench:
    """``now`` is POSIX seconds, ``names`` what the server is called, ``seed`` as for a laboratory.

    ``settings`` go into every ``ServerConfig``, such as a trace or a key log.
    """

    def __init__(
        self,
        now: float,
        *,
        names: Sequence[str] = ("localhost", "127.0.0.1", "::1"),
        seed: bytes | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.now = now
        self.names = tuple(names)
        self._seed = seed
        self._settings = dict(settings or {})
        #: Its root is the one for clients to trust.
        self.laboratory = DefectiveLaboratory(seed, now)

    @cached_property
    def stranger(self) -> DefectiveLaboratory:
        """An authority that nobody was told to trust."""
        seed = None if self._seed is None else self._seed + b" stranger"
        return DefectiveLaboratory(seed, self.now, name="Pellucid Stranger")

    @cached_property
    def issued(self) -> Issued:
        """A certificate with nothing wrong about it."""
        return self.laboratory.issue("ecdsa", self.names)

    def server(self, credential: Credential | None = None, **settings: Any) -> ServerConfig:
        """A server with ``credential``, a sound one unless given, and with what else is said.

        It keeps no sessions: a client that resumes one does not look at the certificate again.
        """
        defaults: dict[str, Any] = {
            "credentials": [credential or self.issued.credential],
            "tickets": False,
            "session_cache": False,
        }
        return ServerConfig(**(self._settings | defaults | settings))
