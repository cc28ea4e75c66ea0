"""RFC 9846 section 6, RFC 5246 7.2: two bytes that end a connection, in peace or not."""

from typing import Annotated

from pellucid.codes import AlertDescription, AlertLevel
from pellucid.wire import Wire, struct, uint


@struct
class Alert(Wire):
    """RFC 9846 6"""

    level: Annotated[AlertLevel | int, uint(1, AlertLevel)]
    description: Annotated[AlertDescription | int, uint(1, AlertDescription)]
