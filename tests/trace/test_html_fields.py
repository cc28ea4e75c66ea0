"""The fields of the page: every byte has an owner, every owner a name and an explanation."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from loopback import client_config, credential, server_config
from pages import assert_owned, content, converse, every, matrix, messages_of, named
from samples import MESSAGES

from pellucid import ClientConfig, ServerConfig
from pellucid.messages import Certificate, CertificateEntry, Extensions, HandshakeMessage, describe
from pellucid.messages.extensions import TABLE
from pellucid.trace.html.fields import UNNAMED, field_nodes
from pellucid.trace.texts import texts
from pellucid.wire import Struct, Vector, Wire

ABOUT = texts("html/fields.toml")
LEAF = credential().chain[0]


def nodes_of(raw: bytes, name: str = "Message", cls: type[Wire] | None = None) -> list[dict[str, Any]]:
    return field_nodes(describe(raw, cls), raw, name)


@pytest.mark.parametrize("configs", [pytest.param(configs, id=name) for name, configs in matrix()])
def test_every_byte_of_a_handshake_has_an_owner_with_a_name(
    configs: tuple[ClientConfig, ServerConfig],
) -> None:
    connection = content(converse(*configs))["connections"][0]
    assert connection["outcome"]["status"] == "connected"
    for part in messages_of(connection):
        assert_owned(part["fields"], len(part["raw"]) // 2)
        assert UNNAMED not in {node["name"] for node in every(part["fields"])}
    for record in connection["records"]:
        assert_owned(record["fields"], record["size"])


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_every_byte_of_every_message_there_is_has_an_owner(message: HandshakeMessage) -> None:
    raw = message.encode()
    cls = type(message)
    nodes = nodes_of(raw, cls.name, cls)
    assert_owned(nodes, len(raw))
    assert UNNAMED not in {node["name"] for node in every(nodes)}


@given(st.data())
def test_what_cannot_be_read_is_owned_as_well(data: st.DataObject) -> None:
    message = data.draw(st.sampled_from(MESSAGES))
    raw = bytearray(message.encode())
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[place] = data.draw(st.integers(0, 255))
    cut = bytes(raw[: data.draw(st.integers(1, len(raw)))])
    assert_owned(nodes_of(cut, type(message).name, type(message)), len(cut))


def declared() -> Iterator[tuple[str, str]]:
    """(message or extension, field) of all that the package declares."""

    def walk(cls: type[Wire], place: str) -> Iterator[tuple[str, str]]:
        for name, codec in cls.codec.members:
            yield place, name
            if isinstance(codec, Struct):
                yield from walk(codec.cls, name)
            elif isinstance(codec, Vector) and isinstance(codec.item, Struct):
                yield place, f"{name}[]"
                yield from walk(codec.item.cls, name)

    for message in MESSAGES:
        yield from walk(type(message), type(message).name)
    for row in TABLE.values():
        for body in filter(None, row.values()):
            yield from walk(body, body.extension_type.name)


@pytest.mark.parametrize("place, name", sorted(set(declared())))
def test_every_field_is_explained(place: str, name: str) -> None:
    assert f"{place}/{name}" in ABOUT or name in ABOUT


def test_every_explanation_says_where_to_read_on_or_is_ours() -> None:
    ours = {"body", "signature"}
    assert {key for key, about in ABOUT.items() if not about.get("rfc")} == ours
    assert all(about["text"].endswith(".") for about in ABOUT.values())


def test_a_length_says_how_many_bytes_follow() -> None:
    hello = next(message for message in MESSAGES if type(message).__name__ == "ClientHello")
    nodes = nodes_of(hello.encode(), "ClientHello")
    suites = named(nodes, "cipher_suites")
    length, *items = suites["parts"]
    assert (length["name"], length["meaning"]) == ("length", "bytes")
    assert int(length["value"]) == sum(item["size"] for item in items)


def test_an_extension_shows_its_type_and_its_length() -> None:
    hello = next(message for message in MESSAGES if type(message).__name__ == "ClientHello")
    name = named(nodes_of(hello.encode(), "ClientHello"), "server_name")
    kind, length = name["parts"][:2]
    assert (kind["name"], kind["value"], kind["meaning"]) == ("extension_type", "0x0000", "server_name")
    assert int(length["value"]) == name["size"] - 4


def certificate_nodes() -> list[dict[str, Any]]:
    entry = CertificateEntry(LEAF, Extensions())
    raw = Certificate(b"", [entry]).encode()
    return nodes_of(raw, "Certificate")


def test_a_certificate_is_taken_apart_as_the_library_reads_it() -> None:
    read = x509.load_der_x509_certificate(LEAF)
    nodes = certificate_nodes()
    raw = Certificate(b"", [CertificateEntry(LEAF, Extensions())]).encode()
    body = named(nodes, "tbsCertificate")
    assert raw[body["at"] : body["at"] + body["size"]] == read.tbs_certificate_bytes
    assert named(nodes, "subject")["meaning"] == read.subject.rfc4514_string()
    assert named(nodes, "issuer")["meaning"] == read.issuer.rfc4514_string()
    assert named(nodes, "notAfter")["meaning"] == f"{read.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC"
    assert named(nodes, "Certificate")["parts"][1]["name"] == "tbsCertificate"
    serial = named(nodes, "serialNumber")
    assert int(serial["value"], 16) == read.serial_number
    signature = named(nodes, "signatureValue")
    assert raw[signature["at"] : signature["at"] + signature["size"]].endswith(read.signature)
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert named(nodes, "subjectAltName")["meaning"] == ", ".join(str(name.value) for name in names)
    assert named(nodes, "keyUsage")["meaning"] == "digitalSignature"
    assert named(nodes, "extKeyUsage")["meaning"] == "serverAuth"
    assert named(nodes, "basicConstraints")["meaning"] == "no authority"
    assert named(nodes, "cert_data")["meaning"] == read.subject.rfc4514_string()


def test_an_address_in_a_certificate_reads_as_one() -> None:
    found = [node.get("meaning") for node in every(certificate_nodes()) if node["name"] == "name"]
    assert str(ipaddress.ip_address("127.0.0.1")) in found


KEY, CIPHERTEXT, CURVE = "ML-KEM encapsulation key", "ML-KEM ciphertext", "curve share"
POINT = ["legacy_form", "X", "Y"]


@pytest.mark.parametrize(
    "group, client, server",
    [
        ("X25519MLKEM768", [KEY, CURVE], [CIPHERTEXT, CURVE]),
        ("SecP256r1MLKEM768", [CURVE, KEY], [CURVE, CIPHERTEXT]),
        ("SecP384r1MLKEM1024", [CURVE, KEY], [CURVE, CIPHERTEXT]),
        ("secp256r1", POINT, POINT),
    ],
)
def test_a_key_share_shows_what_it_is_made_of(group: str, client: list[str], server: list[str]) -> None:
    trace = converse(client_config(groups=[group]), server_config(groups=[group]))
    messages = list(messages_of(content(trace)["connections"][0]))
    for name, expected in (("ClientHello", client), ("ServerHello", server)):
        hello = next(message for message in messages if message["name"] == name)
        share = named(hello["fields"], "key_exchange")
        assert [part["name"] for part in share["parts"]] == ["length", *expected]


def test_a_server_that_was_asked_for_less_says_so_in_its_random() -> None:
    trace = converse(client_config(protocols=["TLSv1.2"]), server_config())
    messages = messages_of(content(trace)["connections"][0])
    hello = next(message for message in messages if message["name"] == "ServerHello")
    sentinel = named(hello["fields"], "downgrade sentinel")
    assert (sentinel["size"], sentinel["meaning"]) == (8, "DOWNGRD\\x01")


def test_grease_is_called_by_its_name() -> None:
    hello = next(message for message in MESSAGES if type(message).__name__ == "ClientHello")
    greased = [
        node for node in every(nodes_of(hello.encode(), "ClientHello")) if node.get("about") == "GREASE"
    ]
    assert greased
    assert all("GREASE" in node["name"] + node.get("meaning", "") for node in greased)
