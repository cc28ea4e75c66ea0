"""All faults, by id."""

from __future__ import annotations

from pellucid.errors import Misuse, Reason
from pellucid.faults.breaches import BREACHES
from pellucid.faults.certificates import CERTIFICATES
from pellucid.faults.dhe import DHE
from pellucid.faults.fault import Fault
from pellucid.faults.refusals import REFUSALS
from pellucid.faults.transport import TRANSPORT

__all__ = ["FAULTS", "find"]

FAULTS: dict[str, Fault] = {
    fault.id: fault for fault in (*CERTIFICATES, *REFUSALS, *BREACHES, *DHE, *TRANSPORT)
}


def find(name: str) -> Fault:
    """The fault of this id; hyphens will do for underscores. ``Misuse`` for none."""
    try:
        return FAULTS[name.replace("-", "_")]
    except KeyError:
        raise Misuse(Reason.BAD_CONFIGURATION, f"there is no fault {name!r}; see --list-faults") from None
