import gzip
import io

import numpy as np
import pytest

from mood import compression


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", "<f4", ">f8", "c8", [("r", "u1"), ("g", "u1")]])
def test_an_array_is_read_from_its_place_in_any_type(tmp_path, rng, gzip_kind, dtype):
    dtype = np.dtype(dtype)
    content = rng.integers(0, 100, 352 + 24 * 20 * 16 * dtype.itemsize, np.uint8).tobytes()
    (tmp_path / "x.gz").write_bytes(gzip.compress(content))
    array = compression.read_array(tmp_path / "x.gz", 352, (24, 20, 16), dtype)
    assert (array.shape, array.dtype) == ((24, 20, 16), dtype)
    assert array.tobytes(order="F") == content[352:]


def test_an_array_larger_than_one_piece_is_read_whole(tmp_path, rng, gzip_kind, monkeypatch):
    monkeypatch.setattr(compression, "PIECE", 1000)
    content = rng.integers(0, 9, 7777, np.uint8)
    (tmp_path / "x.gz").write_bytes(gzip.compress(content[:5000]) + gzip.compress(content[5000:]))  # two members
    np.testing.assert_array_equal(compression.read_array(tmp_path / "x.gz", 0, (7777,), np.dtype("u1")), content)


def test_what_is_written_is_gzip_and_depends_on_the_content_alone(tmp_path, rng, gzip_kind):
    content = rng.integers(0, 9, 3_000_000, np.uint8).tobytes()
    for name in ("a.gz", "b.gz"):
        with compression.writer(tmp_path / name) as file:
            for start in range(0, len(content), 700_000):
                file.write(content[start : start + 700_000])
    written = (tmp_path / "a.gz").read_bytes()
    assert written == (tmp_path / "b.gz").read_bytes()
    assert gzip.GzipFile(fileobj=io.BytesIO(written)).read() == content
    assert len(written) < len(content) / 2


def test_an_array_that_ends_too_soon_is_told(tmp_path, gzip_kind):
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(100)))
    with pytest.raises(EOFError, match="after 90 of 200 bytes"):
        compression.read_array(tmp_path / "x.gz", 10, (10, 20), np.dtype("u1"))


def test_a_wrong_checksum_is_told_and_foreign_bytes_at_the_end_are_not(tmp_path, rng, gzip_kind):
    content = rng.integers(0, 9, 5000, np.uint8)
    whole = bytearray(gzip.compress(content))
    (tmp_path / "x.gz").write_bytes(whole + b"foreign")
    np.testing.assert_array_equal(compression.read_array(tmp_path / "x.gz", 0, (5000,), np.dtype("u1")), content)
    whole[-8] ^= 1
    (tmp_path / "x.gz").write_bytes(whole)
    with pytest.raises(gzip.BadGzipFile, match="CRC"):
        compression.read_array(tmp_path / "x.gz", 0, (5000,), np.dtype("u1"))
