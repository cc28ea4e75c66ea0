"""tshark's names of fields and ours: which are the same bytes, and which one of us has alone.

A name of ours is the path in a message's field tree: "extensions/key_share/client_shares[]/group". tshark has
lengths for themselves, which are the first bytes of our fields, and so a name of tshark means a part of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from dissected import DissectedRecord, Shown
from pellucid.trace import RecordEvent
from pellucid.wire import Field

#: Where something begins in a message, and where it ends.
Place: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Node:
    """A field of ours: its path, the field, and whether it has no parts."""

    path: str
    field: Field

    @property
    def is_leaf(self) -> bool:
        return not self.field.fields


def nodes(fields: Sequence[Field], prefix: str = "") -> Iterator[Node]:
    """All fields of a message."""
    for field in fields:
        path = prefix + re.sub(r"\[\d+\]$", "[]", field.name)
        yield Node(path, field)
        yield from nodes(field.fields, f"{path}/")


@dataclass(frozen=True)
class Same:
    """The bytes from ``start`` to ``stop`` of each of our fields whose path is ``path``, a pattern.

    ``leaf``: only of fields that have no parts. ``some``: tshark shows it of some of them alone.
    """

    path: str
    start: int = 0
    stop: int | None = None
    leaf: bool = False
    some: bool = False

    def means(self, path: str, is_leaf: bool) -> bool:
        return (is_leaf or not self.leaf) and re.fullmatch(self.path, path) is not None

    def place(self, field: Field) -> Place:
        start, stop, _ = slice(self.start, self.stop).indices(field.length)
        return field.offset + start, field.offset + stop

    @property
    def is_value(self) -> bool:
        """Whether it is what our field has as its value, and not a length in front of that."""
        return self.stop is None


def whole(path: str) -> Same:
    return Same(path)


def length(size: int, path: str, *, leaf: bool = False) -> Same:
    return Same(path, 0, size, leaf)


def content(size: int, path: str, *, leaf: bool = False) -> Same:
    """What stands behind a length of so many bytes."""
    return Same(path, size, None, leaf)


def _in_extension(name: str, *path: str) -> str:
    return "/".join((rf"(.*/)?extensions/{name}", *path))


_EXTENSION = _in_extension("[^/]+")
_SHARE = _in_extension("key_share", r"(client_shares/client_shares\[\]|server_share)")
_PSK = _in_extension("pre_shared_key", "identities", r"identities\[\]")
_NAME = _in_extension("server_name", "server_name_list", r"server_name_list\[\]")
_GROUPS = _in_extension("supported_groups", "named_group_list")
_FORMATS = _in_extension("ec_point_formats", "ec_point_format_list")
_PROTOCOLS = _in_extension("application_layer_protocol_negotiation", "protocol_name_list")
_VERSIONS = _in_extension("supported_versions", "versions")
_FILTERS = _in_extension("oid_filters", "filters")
_STAMPS = _in_extension("signed_certificate_timestamp", "sct_list")
_STAMP = rf"{_STAMPS}/sct_list\[\]"
_SCHEMES = r"(extensions/signature_algorithms(_cert)?/)?supported_signature_algorithms"
_AUTHORITIES = r"(certificate_authorities|extensions/certificate_authorities/authorities)"
_ONE_AUTHORITY = rf"{_AUTHORITIES}/(certificate_)?authorities\[\]"
_CERTIFICATE_TYPES = _in_extension("(client|server)_certificate_type", "(client|server)_certificate_types")
_SESSION_ID = "(legacy_)?session_id(_echo)?"
#: Extensions that have no fields here.
_UNREAD = "(compress_certificate|application_settings|encrypted_client_hello|delegated_credential)"
#: In TLS 1.3 the certificate is a part of its entry.
_CERTIFICATE = r"certificate_list/certificate_list\[\](/cert_data)?"

#: By tshark's name without its "tls.".
SAME: dict[str, Same | tuple[Same, ...]] = {
    # Every handshake message
    "handshake.type": whole("msg_type"),
    "handshake.length": whole("length"),
    "handshake.extensions_length": length(2, r"(?!.*/sct_list\[\])(.*/)?extensions"),
    "handshake.extension.type": length(2, _EXTENSION),
    "handshake.extension.len": Same(_EXTENSION, 2, 4),
    "handshake.extension.data": Same(_EXTENSION, 4, some=True),  # where tshark does not look into it
    # Hellos
    "handshake.version": whole("(legacy|client|server)_version"),
    "handshake.random": whole("random"),
    "handshake.session_id_length": length(1, _SESSION_ID),
    "handshake.session_id": content(1, _SESSION_ID),
    "handshake.cipher_suites_length": length(2, "cipher_suites"),
    "handshake.ciphersuites": content(2, "cipher_suites"),
    "handshake.ciphersuite": whole(r"cipher_suites/cipher_suites\[\]|cipher_suite"),
    "handshake.comp_methods_length": length(1, "(legacy_)?compression_methods"),
    "handshake.comp_methods": content(1, "(legacy_)?compression_methods"),
    # The list is one field here. Nobody offers more than one method.
    "handshake.comp_method": (
        whole("(legacy_)?compression_method"),
        content(1, "(legacy_)?compression_methods"),
    ),
    # Extensions
    "handshake.extensions_server_name_list_len": length(2, _in_extension("server_name", "server_name_list")),
    "handshake.extensions_server_name_type": whole(f"{_NAME}/name_type"),
    "handshake.extensions_server_name_len": length(2, f"{_NAME}/host_name"),
    "handshake.extensions_server_name": content(2, f"{_NAME}/host_name"),
    "handshake.max_fragment_length": whole(_in_extension("max_fragment_length", "max_fragment_length")),
    "handshake.extensions_status_request_type": whole("(.*/status_request/)?status_type"),
    "handshake.extensions_supported_groups_length": length(2, _GROUPS),
    "handshake.extensions_supported_groups": content(2, _GROUPS),
    "handshake.extensions_supported_group": whole(rf"{_GROUPS}/named_group_list\[\]"),
    "handshake.extensions_ec_point_formats_length": length(1, _FORMATS),
    "handshake.extensions_ec_point_formats": content(1, _FORMATS),
    "handshake.extensions_ec_point_format": whole(rf"{_FORMATS}/ec_point_format_list\[\]"),
    "handshake.sig_hash_alg_len": length(2, _SCHEMES),
    "handshake.sig_hash_algs": content(2, _SCHEMES),
    "handshake.sig_hash_alg": whole(
        rf"{_SCHEMES}/supported_signature_algorithms\[\]|algorithm|{_STAMP}/algorithm"
    ),
    "handshake.extensions_alpn_len": length(2, _PROTOCOLS),
    "handshake.extensions_alpn_list": content(2, _PROTOCOLS),
    "handshake.extensions_alpn_str_len": length(1, rf"{_PROTOCOLS}/protocol_name_list\[\]"),
    "handshake.extensions_alpn_str": content(1, rf"{_PROTOCOLS}/protocol_name_list\[\]"),
    "sct.scts_length": length(2, _STAMPS),
    "sct.sct_length": length(2, _STAMP),
    "sct.sct_version": whole(f"{_STAMP}/sct_version"),
    "sct.sct_logid": whole(f"{_STAMP}/id"),
    "sct.sct_timestamp": whole(f"{_STAMP}/timestamp"),
    "sct.sct_extensions_length": length(2, f"{_STAMP}/extensions"),
    "sct.sct_signature_length": length(2, f"{_STAMP}/signature"),
    "sct.sct_signature": content(2, f"{_STAMP}/signature"),
    "handshake.cert_type.types_len": length(1, _CERTIFICATE_TYPES),
    "handshake.cert_type.types": content(1, _CERTIFICATE_TYPES),
    "handshake.cert_type.type": (
        whole(rf"{_CERTIFICATE_TYPES}/(client|server)_certificate_types\[\]"),
        whole(_in_extension("(client|server)_certificate_type", "(client|server)_certificate_type")),
    ),
    "handshake.extensions_padding_data": whole(_in_extension("padding", "zeros")),
    "record_size_limit": whole(_in_extension("record_size_limit", "record_size_limit")),
    "handshake.extensions.supported_versions_len": length(1, _VERSIONS),
    "handshake.extensions.supported_version": whole(
        rf"{_VERSIONS}/versions\[\]|{_in_extension('supported_versions', 'selected_version')}"
    ),
    "handshake.extensions.cookie_len": length(2, _in_extension("cookie", "cookie")),
    "handshake.extensions.cookie": content(2, _in_extension("cookie", "cookie")),
    # tshark 4.0 calls the length of a list of filters by this name, too.
    "extension.psk_ke_modes_length": (
        length(1, _in_extension("psk_key_exchange_modes", "ke_modes")),
        length(2, _FILTERS),
    ),
    "extension.psk_ke_mode": whole(_in_extension("psk_key_exchange_modes", "ke_modes", r"ke_modes\[\]")),
    "handshake.extensions_key_share_client_length": length(2, _in_extension("key_share", "client_shares")),
    "handshake.extensions_key_share_group": whole(f"{_SHARE}/group"),
    "handshake.extensions_key_share_key_exchange_length": length(2, f"{_SHARE}/key_exchange"),
    "handshake.extensions_key_share_key_exchange": content(2, f"{_SHARE}/key_exchange"),
    "handshake.extensions_key_share_selected_group": whole(_in_extension("key_share", "selected_group")),
    "handshake.extensions.psk.identities.length": length(2, _in_extension("pre_shared_key", "identities")),
    "handshake.extensions.psk.identity.identity_length": length(2, f"{_PSK}/identity"),
    "handshake.extensions.psk.identity.identity": content(2, f"{_PSK}/identity"),
    "handshake.extensions.psk.identity.obfuscated_ticket_age": whole(f"{_PSK}/obfuscated_ticket_age"),
    "handshake.extensions.psk.binders_len": length(2, _in_extension("pre_shared_key", "binders")),
    "handshake.extensions.psk.binders": content(2, _in_extension("pre_shared_key", "binders")),
    "handshake.extensions.psk.identity.selected": whole(_in_extension("pre_shared_key", "selected_identity")),
    "early_data.max_early_data_size": whole(_in_extension("early_data", "max_early_data_size")),
    "handshake.extensions_reneg_info_len": length(
        1, _in_extension("renegotiation_info", "renegotiated_connection")
    ),
    "handshake.extensions_reneg_info": content(
        1, _in_extension("renegotiation_info", "renegotiated_connection")
    ),
    "extension.oid_filters.oid_length": length(1, rf"{_FILTERS}/filters\[\]/certificate_extension_oid"),
    "extension.oid_filters.values_length": length(2, rf"{_FILTERS}/filters\[\]/certificate_extension_values"),
    # Certificates and proofs
    "handshake.certificate_request_context_length": length(1, "certificate_request_context"),
    "handshake.certificate_request_context": content(1, "certificate_request_context"),
    "handshake.certificates_length": length(3, "certificate_list"),
    "handshake.certificates": content(3, "certificate_list"),
    "handshake.certificate_length": length(3, _CERTIFICATE, leaf=True),
    "handshake.certificate": content(3, _CERTIFICATE, leaf=True),
    "handshake.ocsp_response_len": length(3, "(.*/status_request/)?response"),
    "handshake.verify_data": whole("verify_data"),
    # Requests
    "handshake.cert_types_count": length(1, "certificate_types"),
    "handshake.cert_types": content(1, "certificate_types"),
    "handshake.cert_type": whole(r"certificate_types/certificate_types\[\]"),
    "handshake.dnames_len": length(2, _AUTHORITIES),
    "handshake.dnames": content(2, _AUTHORITIES),
    "handshake.dname_len": length(2, _ONE_AUTHORITY),
    # Key exchange in TLS 1.2
    "handshake.server_curve_type": whole("params/curve_type"),
    "handshake.server_named_curve": whole("params/named_curve"),
    "handshake.server_point_len": length(1, "params/public"),
    "handshake.server_point": content(1, "params/public"),
    "handshake.p_len": length(2, "params/dh_p"),
    "handshake.p": content(2, "params/dh_p"),
    "handshake.g_len": length(2, "params/dh_g"),
    "handshake.g": content(2, "params/dh_g"),
    "handshake.ys_len": length(2, "params/dh_Ys"),
    "handshake.ys": content(2, "params/dh_Ys"),
    "handshake.sig_len": length(2, "signature"),
    "handshake.sig": content(2, "signature"),
    "handshake.epms_len": length(2, "encrypted_pre_master_secret"),
    "handshake.epms": content(2, "encrypted_pre_master_secret"),
    "handshake.yc_len": length(2, "dh_Yc"),
    "handshake.yc": content(2, "dh_Yc"),
    "handshake.client_point_len": length(1, "ecdh_Yc"),
    "handshake.client_point": content(1, "ecdh_Yc"),
    # What comes after
    "handshake.session_ticket_lifetime_hint": whole("ticket_lifetime(_hint)?"),
    "handshake.session_ticket_age_add": whole("ticket_age_add"),
    "handshake.session_ticket_nonce_length": length(1, "ticket_nonce"),
    "handshake.session_ticket_nonce": content(1, "ticket_nonce"),
    "handshake.session_ticket_length": length(2, "ticket"),
    "handshake.session_ticket": content(2, "ticket"),
    "handshake.key_update.request_update": whole("request_update"),
    # Alerts
    "alert_message.level": whole("level"),
    "alert_message.desc": whole("description"),
}

#: Of two names for the same, the one that is in the table.
ALIASES = {
    "handshake.client_cert_vrfy.sig": "handshake.sig",
    "handshake.client_cert_vrfy.sig_len": "handshake.sig_len",
}

#: What tshark has alone, and why.
THEIRS: dict[str, str] = {
    "handshake.random_time": "no clock since RFC 8446, and few implementations before put a time there",
    "handshake.random_bytes": "the rest of the random behind what was a time",
    "handshake.sig_hash_hash": "a scheme is one number since RFC 8446",
    "handshake.sig_hash_sig": "the other half of that number",
    "handshake.ja3": "computed, not sent",
    "handshake.ja3_full": "computed, not sent",
    "handshake.ja3s": "computed, not sent",
    "handshake.ja3s_full": "computed, not sent",
}

#: Of our fields that have no parts, those that tshark looks into, and why we do not. What it has in them is
#: not in the tables.
OPAQUE: dict[Same, str] = {
    content(2, _ONE_AUTHORITY): "a name in DER, which is compared as a whole",
    content(2, _STAMP, leaf=True): "RFC 6962's SerializedSCT, of a version that is not known here",
    content(4, _in_extension(_UNREAD)): "an extension that nobody here reads",
    whole(_in_extension("status_request", "request")): "names responders of OCSP; nobody fills it",
}

#: What we have alone, and why.
OURS: dict[str, str] = {
    "(.*/status_request/)?response": "tshark goes on with its fields of OCSP",
    rf"{_FILTERS}/filters\[\]/certificate_extension_(oid|values)": "tshark goes on with its fields of X.509",
}


def known(name: str) -> str:
    """The name in the table of a field "tls.…"; "" for one that tshark has alone."""
    assert name.startswith("tls."), name
    found = name.removeprefix("tls.")
    found = ALIASES.get(found, found)
    assert found in SAME or found in THEIRS, f"{name} is in no table"
    return found if found in SAME else ""


def assert_same_fields(raw: bytes, theirs: Sequence[Shown], ours: Sequence[Field]) -> None:
    """All that both name stands at the same place, is as long and has the same value."""
    unseen = set(range(len(raw)))
    tree = list(nodes(ours))
    opaque = [
        same.place(node.field) for node in tree for same in OPAQUE if same.means(node.path, node.is_leaf)
    ]
    placed: dict[str, list[Place]] = {name: [] for name in SAME}
    for shown in theirs:
        place = (shown.offset, shown.offset + len(shown.data))
        assert raw[slice(*place)] == shown.data, shown
        if any(_is_inside(place, one) for one in opaque):
            unseen -= set(range(*place))
        elif (name := known(shown.name)) and shown.data:
            placed[name].append(place)
    expected: dict[str, list[Place]] = {name: [] for name in SAME}
    for node in tree:
        for name, same in _meant(node.path, node.is_leaf):
            start, stop = place = same.place(node.field)
            # tshark does not show what is empty.
            if start < stop and (place in placed[name] or not same.some):
                expected[name].append(place)
                unseen -= set(range(start, stop))
                if same.is_value and node.is_leaf:
                    assert_value(node.field, raw[start:stop])
    found = {name: sorted(places) for name, places in placed.items()}
    assert found == expected
    _assert_grounds(tree, unseen)


def _is_inside(place: Place, one: Place) -> bool:
    return one[0] <= place[0] < place[1] <= one[1] and place != one


@cache
def _meant(path: str, is_leaf: bool) -> list[tuple[str, Same]]:
    """tshark's names for parts of a field of ours."""
    return [
        (name, same)
        for name, entry in SAME.items()
        for same in (entry if isinstance(entry, tuple) else (entry,))
        if same.means(path, is_leaf)
    ]


def assert_value(field: Field, data: bytes) -> None:
    """What our field shows is what stands there: a number, or bytes, or how they begin."""
    beginning, cut, rest = field.value.partition("…")
    if cut:
        assert data.hex().startswith(beginning), field
        assert rest == f" ({len(data)} bytes)", field
    else:
        assert field.value in {data.hex(), f"0x{data.hex()}", str(int.from_bytes(data))}, field


def _assert_grounds(tree: Sequence[Node], unseen: set[int]) -> None:
    """What tshark does not show is in the list of what we have alone."""
    for node in tree:
        place = range(node.field.offset, node.field.offset + node.field.length)
        if node.is_leaf and not unseen.isdisjoint(place):
            assert any(re.fullmatch(path, node.path) for path in OURS), f"tshark does not show {node.path}"


#: The fields of a record that do not belong to a message in it.
OF_RECORDS = {
    *("tls.record.content_type", "tls.record.opaque_type", "tls.record.version", "tls.record.length"),
    *("tls.app_data", "tls.app_data_proto", "tls.change_cipher_spec", "tls.alert_message"),
}


def assert_same_record(ours: RecordEvent, theirs: DissectedRecord) -> None:
    """Header and content type are, wherever tshark could open it."""
    shown = {field.name: field for field in theirs.fields}
    assert shown.keys() <= OF_RECORDS
    inner = shown.get("tls.record.content_type")  # missing where tshark could not open it
    outer = shown.get("tls.record.opaque_type", inner)
    assert outer is not None
    header = [outer, shown["tls.record.version"], shown["tls.record.length"]]
    assert [(field.offset, field.data) for field in header] == [
        (0, ours.header[:1]),
        (1, ours.header[1:3]),
        (3, ours.header[3:]),
    ]
    assert int(shown["tls.record.length"].value) == ours.length
    assert inner is None or int(inner.value) == ours.content_type
