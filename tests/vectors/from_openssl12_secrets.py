"""The secrets of TLS 1.2 as OpenSSL has them.

    python from_openssl12_secrets.py > openssl_tls12_secrets.json

Run only to make the data again, with other keys each time; the tests read the JSON. pyOpenSSL talks to itself
in memory, with RSA key exchange, because there the premaster secret can be had: it is decrypted from the
ClientKeyExchange with the server's key. Master secret and exported keys come from OpenSSL's own functions.
What the Finished messages say is decrypted from their records, with the key block computed here from the
RFC's formula.
"""

from __future__ import annotations

import contextlib
import datetime
import hmac
import json
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

# OpenSSL's name; IANA's; length of the key; hash of the PRF.
SUITES = [
    ("AES128-GCM-SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256", 16, "sha256"),
    ("AES256-GCM-SHA384", "TLS_RSA_WITH_AES_256_GCM_SHA384", 32, "sha384"),
]
# OpenSSL's SSL_OP_NO_EXTENDED_MASTER_SECRET, which pyOpenSSL has no name for.
NO_EXTENDED_MASTER_SECRET = 1

EXPORTS = [
    ("EXPORTER-pellucid", None, 32),
    ("EXPORTER-pellucid", b"", 32),
    ("EXPORTER-other", b"context", 100),
]


def prf(hash_name: str, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """RFC 5246 5."""
    a = seed = label + seed
    output = b""
    while len(output) < length:
        a = hmac.digest(secret, a, hash_name)
        output += hmac.digest(secret, a + seed, hash_name)
    return output[:length]


def self_signed(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )


def context(openssl_name: str, *, extended: bool) -> SSL.Context:
    made = SSL.Context(SSL.TLS_METHOD)
    made.set_min_proto_version(SSL.TLS1_2_VERSION)
    made.set_max_proto_version(SSL.TLS1_2_VERSION)
    made.set_cipher_list(openssl_name.encode())
    made.set_options(SSL.OP_NO_TICKET | (0 if extended else NO_EXTENDED_MASTER_SECRET))
    return made


def records_of(wire: bytes) -> list[bytes]:
    found = []
    while wire:
        end = 5 + int.from_bytes(wire[3:5], "big")
        found.append(wire[:end])
        wire = wire[end:]
    return found


def messages_of(records: list[bytes]) -> list[bytes]:
    """The handshake messages before the ChangeCipherSpec."""
    stream = b""
    for record in records:
        if record[0] != 22:
            break
        stream += record[5:]
    found = []
    while stream:
        end = 4 + int.from_bytes(stream[1:4], "big")
        found.append(stream[:end])
        stream = stream[end:]
    return found


def opened(record: bytes, key: bytes, iv: bytes) -> bytes:
    """The first protected record of a side (RFC 5246 6.2.3.3, RFC 5288 3)."""
    explicit, sealed = record[5:13], record[13:]
    aad = bytes(8) + record[:3] + (len(sealed) - 16).to_bytes(2, "big")
    return AESGCM(key).decrypt(iv + explicit, sealed, aad)


def handshake(
    suite: tuple[str, str, int, str], key: rsa.RSAPrivateKey, *, extended: bool
) -> dict[str, object]:
    openssl_name, name, length, hash_name = suite
    contexts = [context(openssl_name, extended=extended) for _ in range(2)]
    contexts[1].use_certificate(self_signed(key))
    contexts[1].use_privatekey(key)
    client, server = (SSL.Connection(each) for each in contexts)
    client.set_connect_state()
    server.set_accept_state()
    sent = {client: b"", server: b""}
    for _ in range(4):
        for side, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                side.do_handshake()
            try:
                data = side.bio_read(65536)
            except SSL.WantReadError:
                continue
            sent[side] += data
            other.bio_write(data)
    client_records, server_records = records_of(sent[client]), records_of(sent[server])
    client_messages, server_messages = messages_of(client_records), messages_of(server_records)
    master = client.master_key()
    randoms = client.client_random(), client.server_random()
    block = prf(hash_name, master, b"key expansion", randoms[1] + randoms[0], 2 * length + 8)
    keys = {
        "client": (block[:length], block[2 * length : 2 * length + 4]),
        "server": (block[length : 2 * length], block[2 * length + 4 :]),
    }
    finished = {
        "client": opened(client_records[-1], *keys["client"]),
        "server": opened(server_records[-1], *keys["server"]),
    }
    assert finished["client"][:4] == finished["server"][:4] == b"\x14\0\0\x0c"
    encrypted = client_messages[-1][6:]
    return {
        "cipher_suite": name,
        "extended_master_secret": extended,
        "client_random": randoms[0].hex(),
        "server_random": randoms[1].hex(),
        "premaster_secret": key.decrypt(encrypted, padding.PKCS1v15()).hex(),
        "master_secret": master.hex(),
        "messages": [each.hex() for each in (client_messages[0], *server_messages, client_messages[1])],
        "client_finished": finished["client"].hex(),
        "server_finished": finished["server"].hex(),
        "exports": [
            {
                "label": label,
                "context": None if data is None else data.hex(),
                "value": client.export_keying_material(label.encode(), size, data).hex(),
            }
            for label, data, size in EXPORTS
        ],
    }


def main() -> None:
    key = rsa.generate_private_key(65537, 2048)
    handshakes = [handshake(suite, key, extended=extended) for suite in SUITES for extended in (True, False)]
    made = {"made_by": SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode(), "handshakes": handshakes}
    json.dump(made, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
