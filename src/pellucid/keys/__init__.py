"""From shared secrets to keys: the transcript hash, the key schedules of TLS 1.3 and 1.2, and the key log."""

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
from pellucid.keys.key_schedule12 import (
    CipherKeys,
    KeyBlock,
    export_keying_material12,
    extended_master_secret,
    finished_verify_data12,
    key_block,
    master_secret,
)
from pellucid.keys.transcript import Transcript

__all__ = [
    "CipherKeys",
    "KeyBlock",
    "KEY_LOG_LABELS",
    "KeyLog",
    "KeySchedule",
    "TrafficKeys",
    "Transcript",
    "derive_secret",
    "export_keying_material",
    "export_keying_material12",
    "extended_master_secret",
    "finished_verify_data",
    "finished_verify_data12",
    "hkdf_expand_label",
    "key_block",
    "key_log_line",
    "master_secret",
    "next_traffic_secret",
    "resumption_psk",
    "traffic_keys",
]
