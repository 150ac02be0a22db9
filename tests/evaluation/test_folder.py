"""The folder loop gives the official scorer's number, and says what the official scorer keeps to itself."""

import gzip
import logging
import runpy
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from mood.errors import NoInputError, ScanError, UsageError
from mood.evaluation.folder import evaluate_folder
from mood.evaluation.label_files import read_label_map, read_score_map
from mood.evaluation.objects import object_f1
from mood.synthesis.outliers import KINDS

SHAPE = (24, 20, 16)
SCRIPT = Path(__file__).parents[2] / "scripts" / "eval_simple.py"


def save(voxels, path, dtype=np.float32):
    nib.save(nib.Nifti1Image(voxels.astype(dtype), np.diag([0.9, 1.1, 1.3, 1.0])), path)


def draw_label(rng):
    label = np.zeros(SHAPE, dtype=np.uint8)
    x, y, z = rng.integers(0, 10, 3)
    label[x : x + 6, y : y + 5, z : z + 4] = 1
    return label


@pytest.fixture
def folders(tmp_path):
    """Four cases, one of them healthy, with scores of both tasks side by side."""
    rng = np.random.default_rng(7)
    labels, predictions = tmp_path / "toy_label", tmp_path / "predictions"
    for folder in (labels / "pixel", labels / "sample", predictions):
        folder.mkdir(parents=True)
    for number in range(4):
        name = f"case{number}.nii.gz"
        label = draw_label(rng) if number else np.zeros(SHAPE, dtype=np.uint8)
        save(label, labels / "pixel" / name, np.uint8)
        save(np.clip(rng.normal(0.3, 0.2, SHAPE) + 0.4 * label, -0.1, 1.2), predictions / name)
        (labels / "sample" / f"{name}.txt").write_text(f"{int(label.any())}\n")
        (predictions / f"{name}.txt").write_text(f"{rng.random():.6f}\n")
    return labels, predictions


def evaluate(labels, predictions, mode):
    return evaluate_folder(labels, predictions, mode, np.random.default_rng(0), resamples=100)


def pooled_voxels(labels, predictions):
    """The official rules, written down as they are: everything in memory, 0 for what cannot be used."""
    truth, scores = [], []
    for path in sorted((labels / "pixel").iterdir()):
        label = np.clip(np.rint(nib.load(path).get_fdata()).astype(int), 0, 1) == 1
        score_map = np.zeros(SHAPE, dtype=np.float16)
        try:
            read = nib.load(predictions / path.name).get_fdata(dtype=np.float16)
            score_map = np.clip(read, 0, 1) if read.shape == label.shape else score_map
        except (OSError, EOFError, nib.filebasedimages.ImageFileError):
            pass
        truth.append(label.ravel())
        scores.append(score_map.ravel())
    return np.concatenate(truth), np.concatenate(scores)


def assert_official(evaluation, labels, predictions):
    truth, scores = pooled_voxels(labels, predictions)
    assert evaluation.average_precision.value == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    assert evaluation.auroc.value == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)


def test_pixel_numbers_are_official(folders):
    evaluation = evaluate(*folders, "pixel")
    assert_official(evaluation, *folders)
    assert (evaluation.cases, evaluation.missing) == (4, {})
    interval = evaluation.average_precision
    assert interval.low < interval.value < interval.high
    assert [row["anomalous_voxels"] for row in evaluation.per_case] == [0, 120, 120, 120]


def test_pixel_objects_are_those_at_the_best_dice(folders):
    labels, predictions = folders
    evaluation = evaluate(labels, predictions, "pixel")
    found = [
        object_f1(read_score_map(predictions / p.name, SHAPE), read_label_map(p), evaluation.threshold)
        for p in (labels / "pixel").iterdir()
    ]
    assert evaluation.objects == found[0] + found[1] + found[2] + found[3]
    assert evaluation.objects.true_positives + evaluation.objects.false_negatives == 3
    truth, scores = pooled_voxels(labels, predictions)
    called = scores >= evaluation.threshold
    assert evaluation.dice == pytest.approx(2 * (called & truth).sum() / (called.sum() + truth.sum()))


def test_sample_numbers_are_official(folders):
    labels, predictions = folders
    evaluation = evaluate(labels, predictions, "sample")
    files = sorted((labels / "sample").iterdir())
    truth = [int(p.read_text()) for p in files]
    scores = [float((predictions / p.name).read_text()) for p in files]
    assert evaluation.average_precision.value == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    assert evaluation.auroc.value == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert [row["score"] for row in evaluation.per_case] == scores
    assert evaluation.objects is None


def test_labels_may_lie_directly_in_the_folder(folders):
    labels, predictions = folders
    for mode in ("pixel", "sample"):
        nested = evaluate(labels, predictions, mode)
        assert evaluate(labels / mode, predictions, mode).to_dict() == nested.to_dict()


def cut_off(path):
    path.write_bytes(path.read_bytes()[:300])


def transpose(path):
    save(nib.load(path).get_fdata().transpose(2, 1, 0), path)


def not_nifti(path):
    path.write_bytes(gzip.compress(b"not an image" * 100))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (Path.unlink, "no such file"),
        (cut_off, "cannot be read"),
        (transpose, "shape"),
        (not_nifti, "cannot be read"),
    ],
)
def test_lost_map_counts_as_zero_with_a_warning(folders, caplog, damage, reason):
    labels, predictions = folders
    damage(predictions / "case2.nii.gz")
    with caplog.at_level(logging.WARNING, logger="mood"):
        evaluation = evaluate(labels, predictions, "pixel")
    assert list(evaluation.missing) == ["case2"]
    assert reason in evaluation.missing["case2"]
    assert len(caplog.records) == 1
    assert "case2 counts as 0" in caplog.text
    assert_official(evaluation, labels, predictions)


@pytest.mark.parametrize("content", [None, "", "high\n"])
def test_lost_sample_score_counts_as_zero_with_a_warning(folders, caplog, content):
    labels, predictions = folders
    path = predictions / "case2.nii.gz.txt"
    path.unlink() if content is None else path.write_text(content)
    evaluation = evaluate(labels, predictions, "sample")
    path.write_text("0")
    assert evaluation.average_precision == evaluate(labels, predictions, "sample").average_precision
    assert list(evaluation.missing) == ["case2"]
    assert "case2 counts as 0" in caplog.text


def test_nan_is_an_error_that_names_the_file(folders):
    labels, predictions = folders
    score_map = np.zeros(SHAPE)
    score_map[3, 4, 5] = np.nan
    save(score_map, predictions / "case1.nii.gz")
    (predictions / "case3.nii.gz.txt").write_text("nan\n")
    with pytest.raises(ScanError, match=r"case1\.nii\.gz"):
        evaluate(labels, predictions, "pixel")
    with pytest.raises(ScanError, match=r"case3\.nii\.gz\.txt"):
        evaluate(labels, predictions, "sample")


@pytest.mark.parametrize("content", ["inf", "-inf", "1e999"])
def test_fault_30_an_infinite_score_is_an_error_that_names_the_file(folders, content):
    labels, predictions = folders
    (predictions / "case3.nii.gz.txt").write_text(content)
    with pytest.raises(ScanError, match=r"infinite number: .*case3\.nii\.gz\.txt"):
        evaluate(labels, predictions, "sample")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_fault_30_a_label_map_that_is_not_finite_is_an_error_that_names_the_file(folders, value):
    labels, predictions = folders
    label = np.zeros(SHAPE)
    label[3, 4, 5] = value
    save(label, labels / "pixel" / "case1.nii.gz")
    with pytest.raises(ScanError, match=r"NaN or an infinite number.*case1\.nii\.gz"):
        evaluate(labels, predictions, "pixel")


@pytest.mark.parametrize("content", ["2", "yes", "0.7", ""])
def test_unusable_sample_label_is_an_error(folders, content):
    labels, predictions = folders
    (labels / "sample" / "case1.nii.gz.txt").write_text(content)
    with pytest.raises(ScanError, match="case1"):
        evaluate(labels, predictions, "sample")


def test_nothing_to_evaluate_is_an_error(folders, tmp_path):
    labels, predictions = folders
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "._case1.nii.gz").touch()
    for wrong in (tmp_path / "nowhere", tmp_path / "empty"):
        with pytest.raises(NoInputError, match=wrong.name):
            evaluate(wrong, predictions, "pixel")
    with pytest.raises(NoInputError, match="nowhere"):
        evaluate(labels, tmp_path / "nowhere", "sample")
    with pytest.raises(UsageError, match="voxel"):
        evaluate(labels, predictions, "voxel")


@pytest.fixture
def outlier_folders(folders):
    """The same cases named after kinds of outliers."""
    labels, predictions = folders
    kinds = list(KINDS)[:2]
    for number, ending in enumerate(("healthy", kinds[0], kinds[1], kinds[0])):
        for folder, suffix in (("pixel", ".nii.gz"), ("sample", ".nii.gz.txt")):
            for parent in (labels / folder, predictions):
                (parent / f"case{number}{suffix}").rename(parent / f"case{number}_{ending}{suffix}")
    return labels, predictions


def test_kinds_are_scored_by_themselves(outlier_folders):
    labels, predictions = outlier_folders
    first, second = list(KINDS)[:2]
    pixel = evaluate(labels, predictions, "pixel")
    assert {kind: scores.cases for kind, scores in pixel.kinds.items()} == {first: 2, second: 1}
    truth, scores = (pool.reshape(4, -1) for pool in pooled_voxels(labels, predictions))
    expected = average_precision_score(truth[[1, 3]].ravel(), scores[[1, 3]].ravel())
    assert pixel.kinds[first].average_precision.value == pytest.approx(expected, abs=1e-12)
    sample = evaluate(labels, predictions, "sample")
    assert {kind: scores.cases for kind, scores in sample.kinds.items()} == {first: 3, second: 2}
    given = [row["score"] for row in sample.per_case]
    expected = roc_auc_score([0, 1, 1], [given[0], given[1], given[3]])
    assert sample.kinds[first].auroc.value == pytest.approx(expected, abs=1e-12)


def test_healthy_cases_alone_are_undefined(folders):
    labels, predictions = folders
    for number in (1, 2, 3):
        (labels / "pixel" / f"case{number}.nii.gz").unlink()
    evaluation = evaluate(labels, predictions, "pixel")
    assert np.isnan([evaluation.average_precision.value, evaluation.auroc.value, evaluation.dice]).all()
    assert evaluation.to_dict()["average_precision"]["value"] is None


@pytest.mark.parametrize("flag", ["-m", "-mode", "--mode"])
def test_script_takes_the_original_flags(folders, capsys, flag):
    labels, predictions = folders
    arguments = ["-l", f"{labels}/sample", "-o", str(predictions), flag, "sample", "-d", "brain"]
    assert runpy.run_path(str(SCRIPT))["main"](arguments) == 0
    expected = evaluate(labels, predictions, "sample").average_precision.value
    assert capsys.readouterr().out.splitlines()[0] == f"average precision: {expected}"


def test_script_says_what_is_wrong(folders, capsys):
    arguments = ["-l", "nowhere", "-o", str(folders[1]), "-m", "sample"]
    assert runpy.run_path(str(SCRIPT))["main"](arguments) == NoInputError.exit_code
    assert "nowhere" in capsys.readouterr().err


def resave(path, affine=None, codes=None):
    image = nib.load(path)
    if codes:
        turn = nib.orientations.ornt_transform(nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(codes))
        image = image.as_reoriented(turn)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), image.affine if affine is None else affine), path)


def test_row_d1_a_map_in_another_orientation_or_place_is_said(folders, caplog):
    labels, predictions = folders
    before = evaluate(labels, predictions, "pixel").average_precision.value
    assert not caplog.records
    resave(predictions / "case1.nii.gz", codes="LPS")
    resave(predictions / "case2.nii.gz", affine=np.diag([0.9, 1.1, 2.6, 1.0]))
    after = evaluate(labels, predictions, "pixel").average_precision.value
    assert after < before
    said = [record.getMessage() for record in caplog.records]
    assert [text.partition(":")[0] for text in said] == ["case1", "case2"]
    assert "RAS, the map's LPS" in said[0]
    assert "1.3 mm" in said[1]
