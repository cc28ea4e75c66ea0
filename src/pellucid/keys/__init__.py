"""From shared secrets to keys: the transcript hash, the key schedule of RFC 9846 7, and the key log."""

from pellucid.keys.key_log import KEY_LOG_LABELS, KeyLog, key_log_line
from pellucid.keys.key_schedule import (
    KeySchedule,
    TrafficKeys,
    derive_secret,
    export_keying_material,
    finished_verify_data,
    hkdf_expand_label,
    next_traffic_secret,
    resumption_psk,
    traffic_keys,
)
from pellucid.keys.transcript import Transcript

__all__ = [
    "KEY_LOG_LABELS",
    "KeyLog",
    "KeySchedule",
    "TrafficKeys",
    "Transcript",
    "derive_secret",
    "export_keying_material",
    "finished_verify_data",
    "hkdf_expand_label",
    "key_log_line",
    "next_traffic_secret",
    "resumption_psk",
    "traffic_keys",
]
