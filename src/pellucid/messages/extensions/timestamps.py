"""What a log of certificate transparency signs: RFC 6962 3.2, as it stands in a SerializedSCT (3.3)."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pellucid.codes import SignatureScheme
from pellucid.wire import Field, Uint, Wire, fixed, opaque, struct, uint

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Moment(Uint):
    """RFC 6962 3.2: "milliseconds since the epoch"."""

    def __init__(self) -> None:
        super().__init__(8)

    def _describe(self, data: bytes, position: int, end: int, name: str) -> tuple[Field, int]:
        value, stop = self.decode(data, position, end)
        try:
            meaning = f"{_EPOCH + timedelta(milliseconds=value):%Y-%m-%d %H:%M:%S} UTC"
        except OverflowError:
            meaning = "beyond the year 9999"
        return Field(name, position, self.size, str(value), meaning), stop


@struct
class SignedCertificateTimestamp(Wire):
    """RFC 6962 3.2: a log has seen the certificate, and promises to publish it.

    ``algorithm`` and ``signature`` are what RFC 5246 4.7 calls DigitallySigned. There is one version, v1(0);
    what has another is kept as it came.
    """

    sct_version: Annotated[int, uint(1, None, "Version", 0)]
    id: Annotated[bytes, fixed(32)]
    timestamp: Annotated[int, _Moment()]
    extensions: Annotated[bytes, opaque(2)]
    algorithm: Annotated[SignatureScheme | int, uint(2, SignatureScheme)]
    signature: Annotated[bytes, opaque(2)]
