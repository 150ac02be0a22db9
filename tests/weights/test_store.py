import json
import shutil
import signal
from dataclasses import replace

import h5py
import numpy as np
import pytest

from mood.errors import OutputError, TrainingError, WeightsError
from mood.weights.card import card_text, summary
from mood.weights.config import Bench, TrainingFacts, WeightsConfig
from mood.weights.store import (
    ARRAYS,
    CARD,
    CONFIG,
    PACKAGED,
    default_method,
    find_weights,
    packaged_weights,
    read_folder,
    record_scores,
    write_folder,
)

CONFIG_OF_FPI = WeightsConfig("fpi", "brain", {}, TrainingFacts(steps=3))


@pytest.fixture
def folder(tmp_path):
    with h5py.File(tmp_path / "full.h5", "w") as file:
        file["layers/a/kernel"] = np.full((3, 4), 0.1, np.float32)
        file["layers/a/bias"] = np.full(4, 0.1, np.float32)
        file["layers/a"].attrs["name"] = "a"
    write_folder(tmp_path / "w", tmp_path / "full.h5", CONFIG_OF_FPI)
    return tmp_path / "w"


def test_matrices_are_stored_in_half_vectors_in_full_attributes_as_they_are(folder):
    with h5py.File(read_folder(folder).verified_arrays()) as file:
        assert file["layers/a/kernel"].dtype == np.float16
        assert file["layers/a/bias"].dtype == np.float32
        assert file["layers/a"].attrs["name"] == "a"


def test_a_flipped_byte_is_noticed(folder):
    damaged = bytearray((folder / ARRAYS).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / ARRAYS).write_bytes(damaged)
    with pytest.raises(WeightsError, match="SHA-256 differs"):
        read_folder(folder).verified_arrays()


def test_missing_arrays_are_named(folder):
    (folder / ARRAYS).unlink()
    with pytest.raises(WeightsError, match="missing"):
        read_folder(folder).verified_arrays()


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"method": "fpi"})])
def test_a_damaged_config_is_refused(folder, text):
    (folder / CONFIG).write_text(text)
    with pytest.raises(WeightsError, match="damaged"):
        read_folder(folder)


def test_weights_for_something_else_are_refused(folder):
    assert find_weights("fpi", "brain", folder).path == folder
    with pytest.raises(WeightsError, match="not 'fpi' and 'abdom'"):
        find_weights("fpi", "abdom", folder)


@pytest.mark.parametrize("inside", [".", "some_weights"])
def test_weights_placed_in_restore_dir_are_found_first(folder, inside, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MOOD_RESTORE_DIR", raising=False)
    placed = tmp_path / "restore_dir" / "brain" / inside
    shutil.copytree(folder, placed)
    assert find_weights("fpi", "brain").path.resolve() == placed.resolve()


def test_absent_weights_are_said_to_be_absent(tmp_path, monkeypatch):
    monkeypatch.setenv("MOOD_RESTORE_DIR", str(tmp_path))
    monkeypatch.setattr("mood.weights.store.PACKAGED", tmp_path)
    with pytest.raises(WeightsError, match="no trained weights for method 'fpi' and region 'brain'"):
        find_weights("fpi", "brain")


def test_the_packaged_weights_are_whole_and_small():
    found = packaged_weights()
    assert {(w.method, w.region) for w in found} >= {("fpi", "brain"), ("fpi", "abdom")}
    for weights in found:
        weights.verified_arrays()
        if weights.config.int8:
            weights.verified_graphs()
        assert (weights.path / CARD).read_text(encoding="utf-8") == card_text(weights.config)
    assert sum(p.stat().st_size for p in PACKAGED.rglob("*") if p.is_file()) < 80e6


def test_the_default_method_of_each_region_has_packaged_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("MOOD_RESTORE_DIR", str(tmp_path))
    for region in ("brain", "abdom"):
        assert read_folder(PACKAGED / f"{default_method(region)}-{region}").verified_arrays().exists()


def test_without_a_named_method_the_weights_that_are_given_or_placed_decide(folder, monkeypatch, tmp_path):
    (folder / CONFIG).write_text((folder / CONFIG).read_text().replace('"fpi"', '"atlas"'))
    monkeypatch.setenv("MOOD_RESTORE_DIR", str(tmp_path / "placed"))
    assert default_method("brain", folder) == "atlas"
    assert default_method("abdom", folder) == default_method("abdom")
    shutil.copytree(folder, tmp_path / "placed" / "brain" / "mine")
    assert default_method("brain") == "atlas"


def test_recorded_scores_are_kept_with_the_weights_and_change_no_array(folder):
    before = (folder / ARRAYS).read_bytes()
    record_scores(read_folder(folder), Bench("1 mm", 0.25, 0.75, lesion_scans=4, lesion_ap=0.05))
    found = read_folder(folder)
    assert found.config.bench.bench_pixel_ap == 0.25
    assert "| bench pixel ap | 0.25 |" in (folder / CARD).read_text()
    assert "| lesion ap | 0.05 |" in (folder / CARD).read_text()
    assert found.verified_arrays().read_bytes() == before


def test_the_summary_of_weights_names_recipe_data_scores_and_checksum():
    for weights in packaged_weights():
        text = "\n".join(summary(weights.config))
        assert weights.sha256 in text
        assert weights.config.training.note in text
        assert f"method {weights.method}, region {weights.region}" in text


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_weights_of_a_diverged_training_are_not_written_and_the_old_ones_stay(folder, tmp_path, value):
    before = read_folder(folder).config
    with h5py.File(tmp_path / "full.h5", "a") as file:
        file["layers/a/kernel"][1, 2] = value
    with pytest.raises(TrainingError, match=r"(?s)layers/a/kernel.*lower learning rate"):
        write_folder(folder, tmp_path / "full.h5", CONFIG_OF_FPI)
    assert read_folder(folder).config == before
    assert read_folder(folder).verified_arrays()


def test_a_full_disk_keeps_the_old_weights(folder, tmp_path, small_disk):
    before = read_folder(folder).config
    with small_disk(1000), pytest.raises(OutputError, match="File too large"):
        write_folder(folder, tmp_path / "full.h5", CONFIG_OF_FPI)
    assert read_folder(folder).config == before
    assert read_folder(folder).verified_arrays()


def test_killed_at_any_write_a_weights_folder_is_whole_or_none(folder, tmp_path, killed_at):
    other = replace(CONFIG_OF_FPI, training=replace(CONFIG_OF_FPI.training, steps=4))
    for moment in range(6):
        write_folder(folder, tmp_path / "full.h5", CONFIG_OF_FPI)
        code = killed_at(moment, lambda: write_folder(folder, tmp_path / "full.h5", other))
        assert code == -signal.SIGKILL
        try:
            assert read_folder(folder).verified_arrays()
        except WeightsError as error:
            assert "no config.json" in str(error)  # noqa: PT017 - either is right
    write_folder(folder, tmp_path / "full.h5", other)
    assert read_folder(folder).config.training.steps == 4
    assert {path.name for path in folder.iterdir()} == {ARRAYS, CARD, CONFIG}
