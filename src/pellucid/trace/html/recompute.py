"""Commands that compute a value of the key schedule again: with OpenSSL 3, or with Python and nothing else.

    openssl kdf -keylen 32 -kdfopt mode:EXPAND_ONLY -kdfopt prefix:"tls13 " ... TLS13-KDF

A secret goes in by its value, or by its name in capitals where it is not to be shown: then the command is no
more than a recipe, and says what to put where.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from pellucid.trace.events import Redacted, SecretEvent
from pellucid.trace.html.exchanges import exchange_program
from pellucid.trace.html.transcript import Hashed
from pellucid.trace.html.values import Json

__all__ = ["hash_command", "key_commands", "mac_commands", "secret_commands"]

Value = str | bytes | Redacted

_DIGESTS = {"sha256": "SHA2-256", "sha384": "SHA2-384"}
_BY_LENGTH = {32: "sha256", 48: "sha384"}
_AS_HEX = " | tr -d : | tr A-F a-f"
_SLICE = re.compile(r"(\w+)\[(\d+)\.\.(\d+)\]")
# The program that pieces of Python have in common, made short: RFC 5869 2.3 for one block, RFC 5246 5.
_EXPAND_LABEL = (
    "import hmac\n"
    "def expand(hash, secret, label, context, length):\n"
    "    label = b'tls13 ' + label\n"
    "    info = length.to_bytes(2, 'big') + bytes([len(label)]) + label + bytes([len(context)]) + context\n"
    "    return hmac.digest(secret, info + b'\\x01', hash)[:length]\n"
)
_PRF = (
    "import hmac\n"
    "def prf(hash, secret, seed, length):\n"
    "    a, out = seed, b''\n"
    "    while len(out) < length:\n"
    "        a = hmac.digest(secret, a, hash)\n"
    "        out += hmac.digest(secret, a + seed, hash)\n"
    "    return out[:length]\n"
)


def secret_commands(event: SecretEvent, values: Mapping[str, bytes | Redacted], prf_hash: str) -> list[Json]:
    """How to compute it. ``values``: of the secrets that its inputs name; ``prf_hash``: that of TLS 1.2."""
    inputs = {name: _resolved(value, values) for name, value in event.inputs}
    length = _length(event.value)
    if event.formula.startswith("HKDF-Extract"):
        salt, ikm = inputs.values()
        return _extract(_BY_LENGTH.get(length, "sha256"), salt, ikm, length)
    if event.formula.startswith("PRF("):
        secret, label, *seed = inputs.values()
        return _prf(prf_hash, secret, str(label), seed, length)
    if piece := _SLICE.fullmatch(event.formula):
        return _piece(inputs.get(piece[1], b""), piece[1], int(piece[2]), int(piece[3]))
    if "Label" in inputs:
        return _derive(inputs, length)
    program = exchange_program(event.formula, inputs, length)
    tool = "Python with cryptography" if "cryptography" in program else "Python"
    return [_command(tool, _python(program))] if program else []


def key_commands(hash_name: str, secret: str | bytes, label: str, length: int) -> list[Json]:
    """RFC 9846 7.3: a key (``label`` "key") or IV ("iv") of a traffic secret; its name, if it is hidden."""
    return _expand(hash_name, secret, label, b"", length)


def mac_commands(hash_name: str, key: bytes, digest: bytes) -> list[Json]:
    """RFC 9846 4.5.3: the verify_data of a Finished, or a binder. HKDF-Extract is an HMAC, too."""
    return _extract(hash_name, key, digest, len(digest))


def hash_command(hashed: Hashed) -> list[Json]:
    """The hash of the messages themselves, which makes for a long command."""
    program = (
        f"import hashlib\nmessages = bytes.fromhex('{hashed.data.hex()}')\n"
        f"print(hashlib.{hashed.algorithm}(messages).hexdigest())"
    )
    return [_command("Python", _python(program))]


def _resolved(value: Value, values: Mapping[str, bytes | Redacted]) -> Value:
    """The value of the secret that is named, with its name where it is hidden; others as they are."""
    if isinstance(value, str) and value in values:
        found = values[value]
        return found if isinstance(found, bytes) else value
    return value


def _length(value: bytes | Redacted) -> int:
    return len(value) if isinstance(value, bytes) else value.length


def _hex(value: Value) -> str:
    """The digits, or a name in capitals for what is not shown."""
    match value:
        case bytes():
            return value.hex()
        case Redacted():
            return "SECRET"
    return value.upper()


def _derive(inputs: Mapping[str, Value], length: int) -> list[Json]:
    """All that is HKDF-Expand-Label: a secret, a label, and at most one context."""
    secret = next(value for name, value in inputs.items() if name in ("Secret", "BaseKey"))
    context = next((v for n, v in inputs.items() if n not in ("Secret", "BaseKey", "Label")), b"")
    hash_name = _BY_LENGTH.get(length, "sha256")
    return _expand(hash_name, secret, str(inputs["Label"]), context, length)


def _extract(hash_name: str, salt: Value, ikm: Value, length: int) -> list[Json]:
    openssl = _kdf(
        length, hash_name, ["mode:EXTRACT_ONLY", f"hexkey:{_hex(ikm)}", f"hexsalt:{_hex(salt)}"], "HKDF"
    )
    program = (
        f"import hmac\nprint(hmac.digest(bytes.fromhex('{_hex(salt)}'),\n"
        f"    bytes.fromhex('{_hex(ikm)}'), '{hash_name}').hex())"
    )
    return [_command("OpenSSL 3", openssl), _command("Python", _python(program))]


def _expand(hash_name: str, secret: Value, label: str, context: Value, length: int) -> list[Json]:
    options = ["mode:EXPAND_ONLY", f"hexkey:{_hex(secret)}", "prefix:tls13 ", f"label:{label}"]
    if context:
        options.append(f"hexdata:{_hex(context)}")
    program = (
        f"{_EXPAND_LABEL}print(expand('{hash_name}', bytes.fromhex('{_hex(secret)}'), b'{label}',\n"
        f"    bytes.fromhex('{_hex(context)}'), {length}).hex())"
    )
    openssl = _kdf(length, hash_name, options, "TLS13-KDF")
    return [_command("OpenSSL 3", openssl), _command("Python", _python(program))]


def _prf(hash_name: str, secret: Value, label: str, seed: Sequence[Value], length: int) -> list[Json]:
    digits = "".join(_hex(part) for part in seed)
    options = [f"hexsecret:{_hex(secret)}", f"seed:{label}", f"hexseed:{digits}"]
    program = (
        f"{_PRF}print(prf('{hash_name}', bytes.fromhex('{_hex(secret)}'),\n"
        f"    b'{label}' + bytes.fromhex('{digits}'), {length}).hex())"
    )
    openssl = _kdf(length, hash_name, options, "TLS1-PRF")
    return [_command("OpenSSL 3", openssl), _command("Python", _python(program))]


def _piece(block: Value, name: str, first: int, last: int) -> list[Json]:
    digits = _hex(block)
    program = f"print('{digits}'[{2 * first}:{2 * last + 2}])  # bytes {first} to {last} of the {name}"
    shell = f"printf {digits} | cut -c {2 * first + 1}-{2 * last + 2}"
    return [_command("shell", shell), _command("Python", _python(program))]


def _kdf(length: int, hash_name: str, options: Sequence[str], name: str) -> str:
    given = [f"digest:{_DIGESTS[hash_name]}", *options]
    return " \\\n  ".join(
        [
            f"openssl kdf -keylen {length}",
            *(f"-kdfopt {shlex.quote(one)}" for one in given),
            f"{name}{_AS_HEX}",
        ]
    )


def _python(program: str) -> str:
    return f'python3 -c "\n{program}"'


def _command(tool: str, text: str) -> Json:
    return {"with": tool, "text": text}
