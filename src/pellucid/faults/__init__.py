"""Servers that fail, each in one way: to see what a client makes of it.

    bench = Bench(time.time())
    fault = find("certificate_expired")
    peer = fault.prepare(bench)()

``FAULTS`` has them all. A ``Peer`` has no socket: whoever has one carries bytes, and ends TCP as it says.
"""

from pellucid.faults.bench import Bench
from pellucid.faults.fault import Fault
from pellucid.faults.peers import Ending, Peer
from pellucid.faults.table import FAULTS, find

__all__ = ["FAULTS", "Bench", "Ending", "Fault", "Peer", "find"]
