import csv

import nibabel as nib
import numpy as np
import pytest

from mood.errors import NoInputError, TrainingError, UsageError, WeightsError
from mood.methods import load_method
from mood.methods.baselines.atlas import Atlas, AtlasSettings
from mood.regions import ABDOM, BRAIN, Grid
from mood.synthesis.outliers import ALL_KINDS, HARDER_KINDS, KINDS, draw_outlier
from mood.training import checkpoints
from mood.training.data import measure_calibration, selection_ap, selection_cases
from mood.training.loop import STATE
from mood.training.new_method import new_method
from mood.training.run import Schedule, train
from mood.weights.store import read_folder

SMALL = {"grid_shape": (32, 32, 16), "spacing_mm": (1.0, 1.0, 1.0), "width": 1, "batch_size": 8}
# Without graphs Keras remarks on a network of one input that is given as a list. With them: test_graphs.py.
pytestmark = [
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match:UserWarning"),
]
GRID = ((32, 28, 24), (1.0, 1.0, 1.0), 2)


def run(healthy, target, start_from=None, **schedule):
    """A training of the method whose network is the smallest: all are trained by the same loop."""
    plan = Schedule(**{"check_every": 3, "held_out": 2} | schedule)
    return train(healthy, target, "autoencoder", BRAIN, SMALL, plan, "Toy data.", start_from=start_from)


def rows(folder):
    return list(csv.DictReader((folder / "log.csv").read_text().splitlines()))


def test_training_leaves_weights_a_card_and_a_log(healthy, tmp_path):
    losses = []
    folder = train(
        healthy,
        tmp_path / "w",
        "autoencoder",
        BRAIN,
        SMALL,
        Schedule(steps=7, check_every=3, held_out=2),
        "Toy data.",
        lambda progress, loss: losses.append(loss),
    )
    assert len(losses) == 7
    assert [row["step"] for row in rows(folder)] == ["3", "6", "7"]
    found = read_folder(folder)
    assert found.config.training.steps == 7
    assert found.config.training.training_scans == 3
    assert "Toy data." in (folder / "card.md").read_text()
    method = load_method(found)
    best = max(rows(folder), key=lambda row: float(row["selection_ap"]))
    assert found.config.training.selection_ap == pytest.approx(float(best["selection_ap"]), abs=1e-4)
    assert method.score_volume(np.ones((5, 4, 3), np.float32)).shape == (5, 4, 3)


def test_a_seed_gives_the_same_weights_and_another_does_not(healthy, tmp_path):
    sums = [
        read_folder(run(healthy, tmp_path / str(i), steps=3, seed=seed, held_out=1)).sha256
        for i, seed in enumerate((1, 1, 2))
    ]
    assert sums[0] == sums[1] != sums[2]


def test_an_interrupted_run_goes_on(healthy, tmp_path):
    run(healthy, tmp_path / "w", steps=3)
    assert checkpoints.newest(tmp_path / "w" / STATE).facts["step"] == 3
    folder = run(healthy, tmp_path / "w", steps=6)
    assert read_folder(folder).config.training.steps == 6
    assert [row["step"] for row in rows(folder)] == ["3", "6"]
    run(healthy, tmp_path / "w", steps=6)
    assert len(rows(folder)) == 2


def test_another_run_in_the_same_folder_is_refused(healthy, tmp_path):
    run(healthy, tmp_path / "w", steps=1)
    with pytest.raises(UsageError, match="other settings"):
        run(healthy, tmp_path / "w", steps=1, seed=9)


def test_epochs_end_the_training(healthy, tmp_path):
    assert read_folder(run(healthy, tmp_path / "w", epochs=2)).config.training.epochs == 2


def test_bad_scans_are_left_out(healthy, tmp_path, caplog):
    (healthy / "bad.nii.gz").write_bytes(b"no scan")
    folder = run(healthy, tmp_path / "w", steps=1)
    assert "left out" in caplog.text
    assert read_folder(folder).config.training.training_scans == 3


def test_one_scan_is_too_few(write, scan, tmp_path):
    with pytest.raises(NoInputError, match="at least 2"):
        run(write(scan).parent, tmp_path / "w", steps=1)


def test_unknown_settings_are_named():
    with pytest.raises(UsageError, match="no setting is called colour"):
        new_method("autoencoder", BRAIN, {"colour": 1})


def test_settings_that_are_lists_are_written_with_commas():
    method = new_method("mix", BRAIN, {"views": "plain", "tasks": "fpi,blob", "grid_shape": "32,32,48", "width": 2})
    assert method.settings.views == ("plain",)
    assert method.settings.tasks == ("fpi", "blob")
    assert method.settings.grid_shape == (32, 32, 48)
    with pytest.raises(UsageError, match=r"(?s)grid_shape.*128,128,128"):
        new_method("mix", BRAIN, {"grid_shape": "32,wide"})


class Countdown(Atlas):
    """Asks for a check at every second step and is finished after five."""

    done = 0

    def train_epoch(self, scans, rng):
        for losses in super().train_epoch(scans, rng):
            self.done += 1
            yield losses | ({"checked": 1.0} if self.done % 2 == 0 else {})
            if self.done == 5:
                return

    @property
    def finished(self):
        return self.done >= 5

    def draw_check(self, path):
        path.write_text("a picture")


def test_a_method_says_when_to_check_and_when_to_end(healthy, tmp_path, monkeypatch):
    monkeypatch.setattr("mood.training.new_method.method_type", lambda name: Countdown)
    small = {key: SMALL[key] for key in ("grid_shape", "spacing_mm")}
    folder = train(healthy, tmp_path / "w", "atlas", BRAIN, small, Schedule(check_every=100, held_out=2))
    assert [row["step"] for row in rows(folder)] == ["2", "4", "5"]
    assert sorted(path.name for path in folder.glob("*.png")) == ["check-0000002.png", "check-0000004.png"]


def test_a_training_that_fails_leaves_its_best_weights(healthy, tmp_path, monkeypatch):
    class Diverging(Countdown):
        def train_epoch(self, scans, rng):
            yield from super().train_epoch(scans, rng)
            raise TrainingError("the training diverged", fix="Go on with a smaller learning rate")

    monkeypatch.setattr("mood.training.new_method.method_type", lambda name: Diverging)
    small = {key: SMALL[key] for key in ("grid_shape", "spacing_mm")}
    with pytest.raises(TrainingError):
        train(healthy, tmp_path / "w", "atlas", BRAIN, small, Schedule(check_every=100, held_out=2))
    assert read_folder(tmp_path / "w").config.training.chosen_step == 2


class Worsening(Atlas):
    """Best after its second step; what it says of any tissue grows with every step."""

    def train_epoch(self, scans, rng):
        for _ in range(4):
            self.mean[...] += 0.1
            yield {"loss": 1.0}

    def score_volume(self, scan):
        return np.where(scan > 0, self.mean.max(), 0.0).astype(np.float32)


def test_calibration_is_measured_with_the_weights_that_were_chosen(healthy, tmp_path, monkeypatch):
    monkeypatch.setattr("mood.training.new_method.method_type", lambda name: Worsening)
    aps = iter([0.3, 0.9, 0.5, 0.4])
    monkeypatch.setattr("mood.training.loop.selection_ap", lambda method, cases: next(aps))
    small = {key: SMALL[key] for key in ("grid_shape", "spacing_mm")}
    plan = Schedule(steps=4, check_every=1, held_out=2)
    found = read_folder(train(healthy, tmp_path / "w", "atlas", BRAIN, small, plan))
    assert found.config.training.chosen_step == 2
    assert found.calibration.rare_values == pytest.approx([0.2] * 5, abs=1e-3)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_a_training_starts_from_given_weights(healthy, tmp_path):
    first = run(healthy, tmp_path / "first", steps=15, held_out=1)
    second = run(healthy, tmp_path / "second", steps=3, held_out=1, start_from=first)
    assert float(rows(second)[0]["loss"]) < float(rows(first)[0]["loss"])
    assert read_folder(first).sha256[:12] in (second / "card.md").read_text()
    with pytest.raises(WeightsError, match="do not fit"):
        train(healthy, tmp_path / "third", "autoencoder", BRAIN, SMALL | {"width": 2}, start_from=first)
    with pytest.raises(WeightsError, match="method 'autoencoder'"):
        train(healthy, tmp_path / "third", "mix", BRAIN, start_from=first)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_a_training_starts_from_weights_of_the_other_region(healthy, tmp_path):
    changes, plan = SMALL | {"views": "plain"}, Schedule(steps=1, held_out=0)
    first = train(healthy, tmp_path / "first", "mix", BRAIN, changes, plan)
    second = train(
        healthy, tmp_path / "second", "mix", ABDOM, changes | {"learning_rate": 1e-9}, plan, start_from=first
    )
    before, after = (load_method(read_folder(folder)).network.trainable_variables for folder in (first, second))
    for a, b in zip(before, after, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_unlabelled_scans_are_for_methods_that_learn_from_them(healthy, tmp_path):
    with pytest.raises(UsageError, match="healthy scans only"):
        train(healthy, tmp_path / "w", "autoencoder", BRAIN, SMALL, unlabelled=healthy)


def one_scan(folder, data, spacing):
    path = folder / "one.nii.gz"
    nib.save(nib.Nifti1Image(data, np.diag([spacing, spacing, spacing, 1.0])), path)
    return path


def test_the_cases_that_choose_a_checkpoint_hold_no_kind_that_training_resembles(tmp_path, rng, monkeypatch):
    drawn = []

    def draw(kind, scan, case_rng, spacing_mm):
        drawn.append(kind)
        assert spacing_mm == (2.0, 2.0, 2.0)
        return draw_outlier(kind, scan, case_rng, spacing_mm=spacing_mm)

    monkeypatch.setattr("mood.training.data.draw_outlier", draw)
    method = Atlas(BRAIN, AtlasSettings(*GRID))
    source = one_scan(tmp_path, rng.random((24, 20, 16), dtype=np.float32), spacing=2.0)
    method.trained_kinds = tuple(KINDS)
    cases = selection_cases([source] * 4, method, 0)
    assert len(cases) == 8
    assert set(drawn) == set(HARDER_KINDS)
    method.trained_kinds = ()
    selection_cases([source] * 4, method, 0)
    assert set(drawn) == set(ALL_KINDS)
    assert all(case.label.shape == (24, 20, 16) for case in cases)


def test_what_finds_the_planted_outlier_is_selected(tmp_path, rng):
    method = Atlas(BRAIN, AtlasSettings(*GRID))
    scan = np.zeros((24, 20, 16), np.float32)
    scan[2:22, 2:18, 2:14] = 0.5
    cases = selection_cases([one_scan(tmp_path, scan, spacing=1.0)], method, 0)
    method.score_volume = lambda data: np.abs(data - 0.5) * (data > 0)
    good = selection_ap(method, cases)
    method.score_volume = lambda data: (data == 0).astype(np.float32)
    assert good > selection_ap(method, cases)
    assert selection_ap(method, []) == 0


def test_calibration_is_measured_on_tissue_of_healthy_scans(tmp_path, rng):
    class Constant:
        region, grid = BRAIN, Grid((24, 20, 16), (1.0, 1.0, 1.0))

        def further_grids(self, spacing_mm):
            return ()

        def score_volume(self, scan):
            return np.where(scan > 0, 0.2, 0.9).astype(np.float32)

        def score_scan(self, scan):
            return self.score_volume(scan.data)

        def raw_sample_score(self, score_map):
            return float(score_map.mean())

    scan = rng.uniform(0.3, 1.0, (24, 20, 16)).astype(np.float32)
    scan[:12] = 0
    calibration = measure_calibration(Constant(), [one_scan(tmp_path, scan, spacing=1.0)])
    assert calibration.rare_values == pytest.approx((0.2,) * 5)
    assert calibration.share_below(0.55) == pytest.approx(0.5, abs=0.02)
