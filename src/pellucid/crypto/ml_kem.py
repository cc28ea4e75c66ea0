"""ML-KEM's encapsulation with randomness that is handed in (FIPS 203 6.2): a handshake can be replayed by it.

The library draws that randomness itself and takes none, so replaying needs code of our own here. It is plain
Python, which is slow (3 ms and more) and tells its secrets to whoever can time it: with the library's
generator, that is in every real handshake, the library encapsulates. The names are those of FIPS 203.
"""

from __future__ import annotations

from hashlib import sha3_256, sha3_512, shake_128, shake_256

_N = 256
_Q = 3329
_ZETA = 17  # a primitive 256th root of unity modulo q

# FIPS 203 4.3: NTT's powers of zeta in bit-reversed order, and those that the products in pairs need.
_REVERSED = [int(f"{i:07b}"[::-1], 2) for i in range(128)]
_ZETAS = [pow(_ZETA, i, _Q) for i in _REVERSED]
_GAMMAS = [pow(_ZETA, 2 * i + 1, _Q) for i in _REVERSED]

# FIPS 203 8, table 2: d_u and d_v by k. eta is 2 for these both.
_COMPRESSION = {3: (10, 4), 4: (11, 5)}

_Poly = list[int]


def encapsulate(encapsulation_key: bytes, m: bytes) -> tuple[bytes, bytes]:
    """FIPS 203 algorithm 17: the shared secret and the ciphertext. The key has passed its modulus check.

    ``m``: 32 bytes. ML-KEM-768 and ML-KEM-1024 are told apart by the length of the key.
    """
    shared_secret_and_r = sha3_512(m + sha3_256(encapsulation_key).digest()).digest()
    return shared_secret_and_r[:32], _encrypt(encapsulation_key, m, shared_secret_and_r[32:])


def _encrypt(encapsulation_key: bytes, m: bytes, r: bytes) -> bytes:
    """FIPS 203 algorithm 14, K-PKE.Encrypt."""
    k = len(encapsulation_key) // 384
    t = [_decode(encapsulation_key[384 * i : 384 * (i + 1)], 12) for i in range(k)]
    rho = encapsulation_key[384 * k :]
    y = [_ntt(_sample_cbd(r, i)) for i in range(k)]
    u = []
    for i in range(k):
        column = [_sample_ntt(rho + bytes((i, j))) for j in range(k)]
        u.append(_add(_inverse_ntt(_dot(column, y)), _sample_cbd(r, k + i)))
    mu = [bit * ((_Q + 1) // 2) for bit in _decode(m, 1)]
    v = _add(_add(_inverse_ntt(_dot(t, y)), _sample_cbd(r, 2 * k)), mu)
    d_u, d_v = _COMPRESSION[k]
    return b"".join(_compress_and_encode(poly, d_u) for poly in u) + _compress_and_encode(v, d_v)


def _sample_ntt(seed: bytes) -> _Poly:
    """Algorithm 7: a uniform polynomial, by rejection."""
    length = 840  # enough but for one time in many millions
    while True:
        stream = shake_128(seed).digest(length)
        found: _Poly = []
        for a, b, c in zip(stream[::3], stream[1::3], stream[2::3], strict=True):
            found += [d for d in (a | (b & 15) << 8, b >> 4 | c << 4) if d < _Q]
        if len(found) >= _N:
            return found[:_N]
        length *= 2


def _sample_cbd(r: bytes, number: int) -> _Poly:
    """Algorithm 8 over PRF (4.1): a small polynomial, with eta 2."""
    bits = int.from_bytes(shake_256(r + bytes((number,))).digest(128), "little")
    nibbles = ((bits >> 4 * i) & 15 for i in range(_N))
    return [((n & 1) + (n >> 1 & 1) - (n >> 2 & 1) - (n >> 3)) % _Q for n in nibbles]


def _ntt(poly: _Poly) -> _Poly:
    """Algorithm 9."""
    f = list(poly)
    zetas = iter(_ZETAS[1:])
    length = 128
    while length >= 2:
        for start in range(0, _N, 2 * length):
            zeta = next(zetas)
            for j in range(start, start + length):
                t = zeta * f[j + length]
                f[j + length] = (f[j] - t) % _Q
                f[j] = (f[j] + t) % _Q
        length //= 2
    return f


def _inverse_ntt(poly: _Poly) -> _Poly:
    """Algorithm 10."""
    f = list(poly)
    zetas = reversed(_ZETAS)
    length = 2
    while length <= 128:
        for start in range(0, _N, 2 * length):
            zeta = next(zetas)
            for j in range(start, start + length):
                t = f[j]
                f[j] = (t + f[j + length]) % _Q
                f[j + length] = zeta * (f[j + length] - t) % _Q
        length *= 2
    return [value * 3303 % _Q for value in f]  # 3303 is the inverse of 128


def _dot(left: list[_Poly], right: list[_Poly]) -> _Poly:
    """The inner product of two vectors in the NTT's domain (algorithms 11 and 12)."""
    total = [0] * _N
    for f, g in zip(left, right, strict=True):
        for i, gamma in enumerate(_GAMMAS):
            a0, a1, b0, b1 = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
            total[2 * i] += a0 * b0 + a1 * b1 * gamma
            total[2 * i + 1] += a0 * b1 + a1 * b0
    return [value % _Q for value in total]


def _add(left: _Poly, right: _Poly) -> _Poly:
    return [(a + b) % _Q for a, b in zip(left, right, strict=True)]


def _decode(data: bytes, d: int) -> _Poly:
    """Algorithm 6: integers of d bits each, little endian."""
    bits = int.from_bytes(data, "little")
    return [(bits >> d * i) & ((1 << d) - 1) for i in range(_N)]


def _compress_and_encode(poly: _Poly, d: int) -> bytes:
    """Compress_d (4.2.1), then algorithm 5."""
    bits = 0
    for i, value in enumerate(poly):
        bits |= (((value << d) + _Q // 2) // _Q & ((1 << d) - 1)) << d * i
    return bits.to_bytes(32 * d, "little")
