"""Records of TLS 1.2 as OpenSSL makes them: `python from_openssl12.py > openssl_tls12_records.json`.

Run only to make the data again, with other keys each time; the tests read the JSON. There is one connection
of the standard library's `ssl` with itself for each cipher and MAC of TLS 1.2, and with CBC for each order of
the two. The master secret comes from OpenSSL's key log; the key block and what the Finished messages say are
computed here from the RFC's formulas, with `hmac` and `hashlib` alone.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import hmac
import json
import ssl
import sys
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

# OpenSSL's name; IANA's; lengths of MAC key, key and IV; hash of the PRF.
SUITES = [
    ("ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0, 16, 4, "sha256"),
    ("ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0, 32, 4, "sha384"),
    ("ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0, 32, 12, "sha256"),
    ("ECDHE-ECDSA-AES128-CCM", "TLS_ECDHE_ECDSA_WITH_AES_128_CCM", 0, 16, 4, "sha256"),
    ("ECDHE-ECDSA-AES256-CCM", "TLS_ECDHE_ECDSA_WITH_AES_256_CCM", 0, 32, 4, "sha256"),
    ("ECDHE-ECDSA-AES128-CCM8", "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", 0, 16, 4, "sha256"),
    ("ECDHE-ECDSA-AES256-CCM8", "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8", 0, 32, 4, "sha256"),
    ("ECDHE-RSA-AES128-SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 20, 16, 0, "sha256"),
    ("ECDHE-RSA-AES256-SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 20, 32, 0, "sha256"),
    ("ECDHE-RSA-AES128-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", 32, 16, 0, "sha256"),
    ("AES256-SHA256", "TLS_RSA_WITH_AES_256_CBC_SHA256", 32, 32, 0, "sha256"),
    ("ECDHE-RSA-AES256-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", 48, 32, 0, "sha384"),
]
# OpenSSL's SSL_OP_NO_ENCRYPT_THEN_MAC, which `ssl` has no name for.
NO_ENCRYPT_THEN_MAC = 1 << 19

DATA = {"client": b"what the client sends", "server": bytes(range(48))}


def prf(hash_name: str, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """RFC 5246 5."""
    a = seed = label + seed
    output = b""
    while len(output) < length:
        a = hmac.digest(secret, a, hash_name)
        output += hmac.digest(secret, a + seed, hash_name)
    return output[:length]


def credential(folder: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, name: str) -> Path:
    """A file with a self-signed certificate and its key."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = folder / name
    path.write_bytes(
        certificate.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def records_of(wire: bytes) -> list[bytes]:
    found = []
    while wire:
        end = 5 + int.from_bytes(wire[3:5], "big")
        found.append(wire[:end])
        wire = wire[end:]
    return found


class Side:
    """One side of a connection in memory, and all that it has sent."""

    def __init__(self, context: ssl.SSLContext, *, server: bool) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server)
        self.sent = b""

    def handshake(self) -> bool:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def flush_to(self, other: Side) -> None:
        data = self.outgoing.read()
        self.sent += data
        other.incoming.write(data)


def context(protocol: int, openssl_name: str, *, encrypt_then_mac: bool) -> ssl.SSLContext:
    made = ssl.SSLContext(protocol)
    made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_ciphers(f"{openssl_name}:@SECLEVEL=0")
    made.options |= ssl.OP_NO_TICKET
    if not encrypt_then_mac:
        made.options |= NO_ENCRYPT_THEN_MAC
    return made


def connection(
    folder: Path, suite: tuple[str, str, int, int, int, str], *, encrypt_then_mac: bool
) -> dict[str, object]:
    openssl_name, name, *lengths, hash_name = suite
    contexts = [
        context(protocol, openssl_name, encrypt_then_mac=encrypt_then_mac)
        for protocol in (ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER)
    ]
    key_log = folder / "keys"
    key_log.write_text("")
    contexts[0].keylog_filename = str(key_log)
    contexts[1].load_cert_chain(folder / ("ecdsa.pem" if "ECDSA" in name else "rsa.pem"))
    client, server = Side(contexts[0], server=False), Side(contexts[1], server=True)
    done = [False, False]
    while not all(done):
        done[0] = done[0] or client.handshake()
        client.flush_to(server)
        done[1] = done[1] or server.handshake()
        server.flush_to(client)
    assert client.tls.cipher()[0] == openssl_name
    sides = {"client": client, "server": server}
    for who, side in sides.items():
        side.tls.write(DATA[who])
        other = sides["server" if who == "client" else "client"]
        side.flush_to(other)
        assert other.tls.read() == DATA[who]
    for side in sides.values():
        with contextlib.suppress(ssl.SSLWantReadError):
            side.tls.unwrap()
        side.sent += side.outgoing.read()

    line = next(line for line in key_log.read_text().splitlines() if line.startswith("CLIENT_RANDOM"))
    client_random, master = (bytes.fromhex(part) for part in line.split()[1:])
    return {
        "cipher_suite": name,
        "encrypt_then_mac": encrypt_then_mac,
        **told(sides, client_random, master, lengths, hash_name),
    }


def told(
    sides: dict[str, Side], client_random: bytes, master: bytes, lengths: list[int], hash_name: str
) -> dict[str, object]:
    plain = {who: [] for who in sides}
    protected = {who: [] for who in sides}
    for who, side in sides.items():
        seen = False
        for record in records_of(side.sent):
            if record[0] == 20:
                seen = True
            else:
                (protected if seen else plain)[who].append(record)
    messages = {who: b"".join(record[5:] for record in plain[who]) for who in sides}
    assert messages["client"][6:38] == client_random
    server_random = messages["server"][6:38]
    block = prf(hash_name, master, b"key expansion", server_random + client_random, 2 * sum(lengths))
    keys: dict[str, dict[str, str]] = {"client": {}, "server": {}}
    for what, length in zip(("mac_key", "key", "iv"), lengths, strict=True):
        for who in ("client", "server"):
            keys[who][what], block = block[:length].hex(), block[length:]

    # Of the flights, the first of the client's is its ClientHello alone.
    hello_end = 4 + int.from_bytes(messages["client"][1:4], "big")
    transcript = messages["client"][:hello_end] + messages["server"] + messages["client"][hello_end:]
    records = []
    for who in ("client", "server"):
        hashed = hashlib.new(hash_name, transcript).digest()
        finished = b"\x14\0\0\x0c" + prf(hash_name, master, f"{who} finished".encode(), hashed, 12)
        transcript += finished
        contents = [(22, finished), (23, DATA[who]), (21, b"\x01\x00")]
        for sequence, ((kind, content), record) in enumerate(zip(contents, protected[who], strict=True)):
            assert record[0] == kind
            records.append(
                {
                    "sender": who,
                    "sequence": sequence,
                    "content_type": kind,
                    "content": content.hex(),
                    "record": record.hex(),
                }
            )
    return {"keys": keys, "records": records}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        credential(folder, rsa.generate_private_key(65537, 2048), "rsa.pem")
        credential(folder, ec.generate_private_key(ec.SECP256R1()), "ecdsa.pem")
        connections = [
            connection(folder, suite, encrypt_then_mac=order)
            for suite in SUITES
            for order in ((False, True) if suite[2] else (False,))
        ]
    json.dump({"made_by": ssl.OPENSSL_VERSION, "connections": connections}, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
