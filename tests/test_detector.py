import nibabel as nib
import numpy as np
import pytest

from mood.conform import conform
from mood.detector import Detector, Result, load_detector, score
from mood.engines import choose
from mood.errors import OutputError, ScanError, UsageError, WeightsError
from mood.methods import load_method
from mood.regions import BRAIN
from mood.training.new_method import new_method
from mood.training.run import train
from mood.volume import load
from mood.weights.store import read_folder

GRID = {"grid_shape": (40, 36, 32), "spacing_mm": (1.0, 1.0, 1.0)}
LEFT_HANDED = np.diag([-1.5, 2.0, 1.0, 1.0])


@pytest.fixture
def method():
    method = new_method("atlas", BRAIN, GRID)
    rng = np.random.default_rng(0)
    for _ in method.train_epoch(list(rng.random((3, 40, 36, 32), dtype=np.float32)), rng):
        pass
    return method


@pytest.fixture
def weights(healthy, tmp_path):
    return train(healthy, tmp_path / "weights", "atlas", BRAIN, GRID)


def test_a_scan_is_conformed_scored_and_restored(write, scan, method):
    path = write(scan, "sub-01.nii.gz", LEFT_HANDED)
    data, placement = conform(load(path), BRAIN, method.grid)
    grid_map = method.score_volume(data)
    result = Detector(method).score(path)
    np.testing.assert_array_equal(result.map, placement.restore(grid_map))
    assert result.map.shape == scan.shape
    assert result.sample_score == method.sample_score(grid_map)
    assert result.name == "sub-01"


def test_a_method_may_ask_for_more_of_a_scan_than_its_voxels(write, scan, method, monkeypatch):
    seen = []

    def score_scan(conformed):
        seen.append(nib.affines.voxel_sizes(conformed.affine))
        return np.full_like(conformed.data, 0.25)

    monkeypatch.setattr(method, "score_scan", score_scan)
    result = Detector(method).score(write(scan, affine=LEFT_HANDED))
    np.testing.assert_allclose(seen, [[1.5, 2.0, 1.0]])
    np.testing.assert_allclose(result.map[2:-2, 2:-2, 2:-2], 0.25, atol=1e-6)


def test_a_result_is_saved_as_predict_writes_it(write, scan, method, tmp_path):
    result = Detector(method).score(write(scan, "a.nii.gz", LEFT_HANDED))
    paths = result.save(str(tmp_path / "new" / "maps"))
    assert [path.name for path in paths] == ["a.nii.gz", "a.nii.gz.txt"]
    saved = nib.load(paths[0])
    np.testing.assert_allclose(saved.get_fdata(), result.map, atol=2**-15)
    np.testing.assert_array_equal(saved.affine, LEFT_HANDED)
    assert float(paths[1].read_text()) == pytest.approx(result.sample_score, abs=1e-6)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="folder cannot be written"):
        result.save(tmp_path / "file" / "maps")


def test_a_result_says_what_it_is(scan):
    score_map = np.zeros(scan.shape, np.float32)
    score_map[3, 4, 5] = 0.5
    result = Result(score_map, 0.25, "<sub>", LEFT_HANDED, nib.Nifti1Header())
    parts = ["sample score 0.2500", "24 x 20 x 16 of 1.5 x 2 x 1 mm", "0.500 at voxel (3, 4, 5)"]
    assert all(part in repr(result) for part in parts)
    assert "&lt;sub&gt;" in result._repr_html_()
    assert len(result._repr_html_()) < 500


def test_the_log_says_which_weights_were_taken(weights, caplog):
    caplog.set_level("INFO")
    found = load_detector("brain", weights=weights).weights
    assert f"weights of atlas for brain: {found.path}, SHA-256 {found.sha256}" in caplog.text


def test_a_detector_is_loaded_from_a_folder_named_as_text_or_path(weights, healthy):
    expected = load_method(read_folder(weights))
    for folder in (weights, str(weights)):
        detector = load_detector("brain", weights=folder)
        assert repr(detector) == "Detector(atlas for brain, float32 on keras)"
        assert detector.about()["weights"] == read_folder(weights).sha256
        data = detector.conform(load(healthy / "s0.nii.gz")).data
        np.testing.assert_array_equal(detector.method.score_volume(data), expected.score_volume(data))
    by_name = score(str(healthy / "s0.nii.gz"), weights=weights)
    np.testing.assert_array_equal(by_name.map, detector.score(healthy / "s0.nii.gz").map)


def test_members_run_on_the_engine_that_was_asked_for(openvino):
    detector = load_detector("brain", "ensemble", engine="openvino")
    assert {member.engine.name for member in detector.method.members} == {"openvino"}
    assert repr(detector) == "Detector(ensemble for brain, float32 on openvino)"


def test_an_engine_object_serves_several_methods(openvino, weights):
    engine = choose("openvino")
    assert load_method(read_folder(weights), engine).engine is engine


def test_what_is_wrong_is_said_before_anything_is_loaded(tmp_path, scan):
    with pytest.raises(ScanError, match="no such file"):
        score(tmp_path / "absent.nii.gz", weights=tmp_path)
    with pytest.raises(UsageError, match="unknown region"):
        load_detector("leg")
    with pytest.raises(UsageError, match="unknown method"):
        load_detector("brain", "magic")
    with pytest.raises(UsageError, match="unknown engine"):
        load_detector("brain", engine="abacus")
    with pytest.raises(WeightsError, match=r"no config\.json"):
        load_detector("brain", "fpi", tmp_path)
    with pytest.raises(WeightsError, match="no int8 graphs"):
        load_detector("brain", "ascnet", precision="int8")
