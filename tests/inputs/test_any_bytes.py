"""Whatever the bytes of a file are, it ends in a result or in a sentence; scripts/fuzz.sh tries many more."""

import gzip
import struct
from contextlib import suppress

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mood.cohort.outputs import Outputs
from mood.detector import Detector
from mood.errors import MoodError
from mood.predict import predict_folder
from mood.regions import ABDOM, BRAIN
from mood.training.new_method import new_method
from mood.volume import load

GRID = {"grid_shape": (20, 18, 14), "spacing_mm": (10.0, 10.0, 10.0)}
SHORTS = (*(40 + 2 * i for i in range(8)), 68, 70, 72, 252, 254)  # dim, intent, datatype, bitpix, slice, codes
FLOATS = (*(76 + 4 * i for i in range(8)), 108, 112, 116, *(256 + 4 * i for i in range(18)))  # pixdim to srow
any_float = st.one_of(st.floats(width=32), st.sampled_from([0.0, -1.0, 1e-6, 348.0, 352.0, 1e30]))
any_short = st.one_of(st.integers(-(2**15), 2**15 - 1), st.sampled_from([0, 1, 2, 3, 4, 8, 16, 64, 256, 512, 1792]))
edits = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(SHORTS), st.just("<h"), any_short),
        st.tuples(st.sampled_from(FLOATS), st.just("<f"), any_float),
        st.tuples(st.integers(0, 600), st.just("<B"), st.integers(0, 255)),
    ),
    max_size=5,
)
often = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,  # the same files each time; the script draws others
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def methods():
    made = [new_method("atlas", region, GRID) for region in (BRAIN, ABDOM)]
    for method in made:
        scans = list(np.random.default_rng(0).random((3, *GRID["grid_shape"]), dtype=np.float32))
        for _ in method.train_epoch(scans, np.random.default_rng(0)):
            pass
    return made


@pytest.fixture(autouse=True)
def limits(monkeypatch):
    monkeypatch.setenv("MOOD_MAX_VOXELS", str(2**20))


def plain(kind: str) -> bytearray:
    data = np.zeros((8, 7, 6))
    data[1:7, 1:6, 1:5] = np.random.default_rng(0).uniform(20, 255, (6, 5, 4))
    return bytearray(nib.Nifti1Image(data.astype(kind), np.diag([20.0, 22, 24, 1])).to_bytes())


def edited(kind, changes, cut, packed):
    content = plain(kind)
    for offset, form, value in changes:
        struct.pack_into(form, content, offset, value)
    content = bytes(content[: int(len(content) * cut)])
    return gzip.compress(content, 1) if packed else content


def check(content, folder, methods):
    (folder / "in").mkdir(exist_ok=True)
    path = folder / "in" / "scan.nii.gz"
    path.write_bytes(content)
    for method in methods:
        with suppress(MoodError):
            detector = Detector(method)
            scan = detector.conform(load(path))
            result = detector.result(scan, detector.grid_map(scan))
            assert np.isfinite(result.map).all()
            assert 0 <= result.map.min() <= result.map.max() <= 1
            assert 0 <= result.sample_score <= 1
    return path


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of arithmetic with what a header claims
@often
@given(st.sampled_from(["u1", "i2", "f4", "f8"]), edits, st.sampled_from([1.0, 1.0, 1.0, 0.9, 0.3]), st.booleans())
def test_any_header_ends_in_a_result_or_a_sentence(tmp_path, methods, kind, changes, cut, packed):
    check(edited(kind, changes, cut, packed), tmp_path, methods)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@often
@given(st.binary(max_size=1000))
def test_any_bytes_end_in_a_sentence(tmp_path, methods, content):
    check(content, tmp_path, methods[:1])
    check(gzip.compress(content, 1), tmp_path, methods[:1])
    check(gzip.compress(bytes(plain("u1")), 1)[:200] + content, tmp_path, methods[:1])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(often, max_examples=15)
@given(edits)
def test_in_the_challenge_any_header_has_whole_outputs(tmp_path, methods, changes):
    path = check(edited("i2", changes, 1.0, True), tmp_path, [])
    predict_folder(path.parent, tmp_path / "out", methods[0], challenge=True)
    assert Outputs(tmp_path / "out").are_whole(path, ("pixel", "sample"))
