"""What is asked."""

from typing import NamedTuple

from cryptography import x509

from pellucid.identity.names import ServerName
from pellucid.identity.rules import Purpose
from pellucid.identity.trust import TrustStore


class Case(NamedTuple):
    """The parsed chain as sent, and what it is to be good for."""

    chain: tuple[x509.Certificate, ...]
    trust: TrustStore
    purpose: Purpose
    name: ServerName | None
    now: float
