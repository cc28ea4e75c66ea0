"""The key log's lines."""

from pellucid.keys import KEY_LOG_LABELS, key_log_line
from pellucid.keys.labels import LEAVES


def test_a_line_is_label_random_and_secret_in_hexadecimal() -> None:
    line = key_log_line("CLIENT_HANDSHAKE_TRAFFIC_SECRET", bytes(range(32)), b"\xab" * 48)
    assert line == f"CLIENT_HANDSHAKE_TRAFFIC_SECRET {bytes(range(32)).hex()} {'ab' * 48}"


def test_every_secret_that_can_decrypt_or_export_has_a_label() -> None:
    # RFC 9850 has none for what only leads to other connections.
    unlogged = {"external_binder_key", "resumption_binder_key", "resumption_secret"}
    assert set(KEY_LOG_LABELS) == set(LEAVES) - unlogged | {"master_secret"}


def test_the_master_secret_of_tls_12_goes_by_the_client_s_random() -> None:
    assert KEY_LOG_LABELS["master_secret"] == "CLIENT_RANDOM"
