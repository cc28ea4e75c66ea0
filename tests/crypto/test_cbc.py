"""AES-CBC against NIST's values, and its handling of blocks."""

import pytest

from pellucid.crypto.cbc import aes_cbc_decrypt, aes_cbc_encrypt

# NIST SP 800-38A F.2.1 and F.2.5: the first two blocks.
IV = bytes(range(16))
PLAINTEXT = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
VECTORS = [
    pytest.param(
        "2b7e151628aed2a6abf7158809cf4f3c",
        "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2",
        id="AES-128",
    ),
    pytest.param(
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
        id="AES-256",
    ),
]


@pytest.mark.parametrize("key, ciphertext", VECTORS)
def test_nist_s_values_come_out(key: str, ciphertext: str) -> None:
    assert aes_cbc_encrypt(bytes.fromhex(key), IV, PLAINTEXT).hex() == ciphertext
    assert aes_cbc_decrypt(bytes.fromhex(key), IV, bytes.fromhex(ciphertext)) == PLAINTEXT


@pytest.mark.parametrize("length", [0, 16, 16384])
def test_there_is_no_padding(length: int) -> None:
    sealed = aes_cbc_encrypt(bytes(16), IV, bytes(length))
    assert len(sealed) == length
    assert aes_cbc_decrypt(bytes(16), IV, sealed) == bytes(length)


@pytest.mark.parametrize("view", [bytearray, memoryview])
def test_views_do_as_well(view: type) -> None:
    sealed = aes_cbc_encrypt(bytes(32), view(IV), view(PLAINTEXT))
    assert aes_cbc_decrypt(bytes(32), view(IV), view(sealed)) == PLAINTEXT


@pytest.mark.parametrize("length", [1, 15, 17])
@pytest.mark.parametrize("operation", [aes_cbc_encrypt, aes_cbc_decrypt])
def test_part_of_a_block_is_refused(operation: object, length: int) -> None:
    assert callable(operation)
    with pytest.raises(ValueError, match="block length"):
        operation(bytes(16), IV, bytes(length))
