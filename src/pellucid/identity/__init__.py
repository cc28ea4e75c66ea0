"""Who the peer is, and who we are: credentials, trust stores, names, and the verification of certificate
chains.
"""

from pellucid.identity.credentials import Credential
from pellucid.identity.keys import PublicKey
from pellucid.identity.names import DnsName, IpAddress, ServerName, parse_server_name
from pellucid.identity.private_keys import PrivateKey, load_rsa_private_key
from pellucid.identity.profile import CERTIFICATE_PROFILES, CertificateProfile
from pellucid.identity.rules import Purpose
from pellucid.identity.trust import TrustStore
from pellucid.identity.verify import MAX_CHAIN_LENGTH, VerifiedIdentity, verify_client, verify_server

__all__ = [
    "Credential",
    "load_rsa_private_key",
    "TrustStore",
    "VerifiedIdentity",
    "verify_server",
    "verify_client",
    "MAX_CHAIN_LENGTH",
    "CERTIFICATE_PROFILES",
    "CertificateProfile",
    "DnsName",
    "IpAddress",
    "ServerName",
    "parse_server_name",
    "PrivateKey",
    "PublicKey",
    "Purpose",
]
