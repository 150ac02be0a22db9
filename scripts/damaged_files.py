"""Damaged and hostile scan files: small NIfTI files of many forms whose bytes and header fields are changed."""

from __future__ import annotations

import gzip
import random
import struct
from typing import Any

import numpy as np

# Offset and type of the fields of a NIfTI-1 header that decide something.
FIELDS = (
    (0, "i"), *((40 + 2 * i, "h") for i in range(8)), (68, "h"), (70, "h"), (72, "h"),
    *((76 + 4 * i, "f") for i in range(8)),
    (108, "f"), (112, "f"), (116, "f"), (123, "b"), (252, "h"), (254, "h"), *((256 + 4 * i, "f") for i in range(6)),
    *((280 + 4 * i, "f") for i in range(12)), (344, "i"), (348, "i"),
)  # fmt: skip
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-30, 1e30, 3.4e38, float("nan"), float("inf"), -float("inf"), 1e-6, 1e6, 352.0, 348.0)
WHOLES = (0, 1, -1, 2, 3, 4, 5, 7, 8, 15, 16, 24, 64, 128, 256, 511, 512, 768, 1024, 1280, 1792, 2304, 32767, -32768)


def seeds(rng: np.random.Generator) -> list[bytes]:
    """Plain files: types, byte orders, both versions, compressed and not, oblique, of a fourth axis of one."""
    import nibabel as nib

    data = np.zeros((8, 7, 6))
    data[1:7, 1:6, 1:5] = rng.uniform(20, 255, (6, 5, 4))
    made = []
    for kind in ("u1", "i2", "u2", "i4", "f4", "f8", ">i2", ">f4", "i1"):
        header = nib.Nifti1Header(endianness="big" if kind[0] == ">" else "little")
        header.set_data_dtype(np.dtype(kind))
        made.append(nib.Nifti1Image(data.astype(kind), np.diag([20.0, 22, 24, 1]), header).to_bytes())
    tilted = np.array([[19.0, 3, 0, -70], [-3, 19, 0, -60], [0, 0, 24, -50], [0, 0, 0, 1]])
    made.append(nib.Nifti2Image(data.astype("f4"), tilted).to_bytes())
    made.append(nib.Nifti1Image(data[..., None].astype("i2"), tilted).to_bytes())
    return made + [gzip.compress(content, 1) for content in made[:4]]


def mutated(content: bytes, rng: random.Random) -> bytes:
    """A file with a few changes; what was compressed is so again, sometimes damaged."""
    packed = content[:2] == b"\x1f\x8b"
    try:
        plain = bytearray(gzip.decompress(content) if packed else content)
    except Exception:
        plain = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        rng.choice((_set_field, _set_field, _set_field, _flip, _cut, _grow))(plain, rng)
    if not packed:
        return bytes(plain)
    again = bytearray(gzip.compress(bytes(plain), 1))
    if rng.random() < 0.3:
        rng.choice((_flip, _cut))(again, rng)
    return bytes(again)


def _set_field(content: bytearray, rng: random.Random) -> None:
    offset, form = rng.choice(FIELDS)
    size = struct.calcsize(form)
    if form == "f":
        value: Any = rng.choice(FLOATS) if rng.random() < 0.7 else rng.uniform(-1e3, 1e3)
    else:
        low, high = -(1 << 8 * size - 1), (1 << 8 * size - 1) - 1
        value = min(max(rng.choice(WHOLES) if rng.random() < 0.7 else rng.randint(low, high), low), high)
    if len(content) >= offset + size:
        struct.pack_into(rng.choice("<<<<>") + form, content, offset, value)


def _flip(content: bytearray, rng: random.Random) -> None:
    if content:
        content[rng.randrange(min(len(content), rng.choice((360, 10**6))))] = rng.randrange(256)


def _cut(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content) + 1) :]


def _grow(content: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(content) + 1)
    content[place:place] = bytes(rng.choice((1, 4, 16, 4096))) if rng.random() < 0.5 else rng.randbytes(16)
