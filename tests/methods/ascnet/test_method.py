import dataclasses

import numpy as np
import pytest

from mood.errors import TrainingError, UsageError
from mood.methods.ascnet.adversarial import Adversaries
from mood.methods.ascnet.batches import InputSlices, ScanSlices, common_side, fit_side, hold_out
from mood.methods.ascnet.method import AscNet
from mood.regions import BRAIN
from mood.training.new_method import new_method

# Without graphs Keras remarks on a network of one input that is given as a list.
pytestmark = [
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match:UserWarning"),
]
SMALL = {"grid_shape": (24, 20, 16), "spacing_mm": (8.0, 8.0, 8.0), "width": 1}
SMALL |= {"batch_size": 4, "phase_steps": 3, "discriminator_floor": 0.0}


@pytest.fixture(scope="module")
def method(eager):
    """An ASC-Net after one round on noise."""
    method = new_method("ascnet", BRAIN, SMALL)
    rng = np.random.default_rng(0)
    images = rng.random((8, 32, 32, 1), dtype=np.float32)
    losses = list(method.train_round(draw_noise, draw_noise, (images, images), 3, rng))
    assert [set(step) for step in losses[:3]] == [{"loss"}] * 3
    assert losses[-1].keys() == {"loss", "adversarial", "reconstruction", "disjointness", "checked"}
    assert sum("checked" in step for step in losses) == 1
    return method


def draw_noise(count, rng):
    return rng.random((count, 32, 32, 1), dtype=np.float32)


def test_the_discriminator_that_was_trained_is_the_one_in_use(method):
    networks = method.trained
    fresh = Adversaries(method.network, method.settings, (32, 32)).discriminator.get_weights()
    for trained, used in zip(networks.discriminator.get_weights(), networks.frozen.get_weights(), strict=True):
        np.testing.assert_array_equal(trained, used)
    trained = networks.discriminator.get_weights()
    assert any((a != b).any() for a, b in zip(fresh, trained, strict=True))


def test_training_the_main_module_changes_it_and_not_the_discriminator(method, rng):
    networks = method.trained
    main, frozen = (model.get_weights() for model in (method.network, networks.frozen))
    networks._train_main(draw_noise(4, rng))
    assert any((a != b).any() for a, b in zip(main, method.network.get_weights(), strict=True))
    for before, after in zip(frozen, networks.frozen.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_loss_that_is_not_a_number_ends_the_training(method, rng):
    weights = method.network.get_weights()
    with pytest.raises(TrainingError, match="not a number"):
        method.trained._train_main(np.full((4, 32, 32, 1), np.nan, np.float32))
    method.network.set_weights(weights)


def test_a_certain_discriminator_stops_early(method, rng):
    networks = Adversaries(method.network, dataclasses.replace(method.settings, discriminator_floor=10.0), (32, 32))
    networks.enter(1)
    steps = list(networks.round(draw_noise, draw_noise, 2, rng))
    assert ["adversarial" in step for step in steps] == [False, True, True]


def test_stage_2_passes_twice_over_the_inputs(method, rng):
    networks = Adversaries(method.network, method.settings, (32, 32))
    networks.enter(2)
    steps = list(networks.round(draw_noise, draw_noise, 2, rng))
    assert sum("adversarial" in step for step in steps) == 4


def test_empty_slices_score_nothing(method, rng):
    scan = np.zeros((24, 20, 16), np.float32)
    scan[..., 5:9] = rng.random((24, 20, 4))
    score_map = method.score_volume(scan)
    assert not score_map[..., :5].any()
    assert not score_map[..., 9:].any()
    assert score_map[..., 5:9].any()


def test_a_threshold_by_hand_decides(rng):
    by_hand = new_method("ascnet", BRAIN, SMALL | {"threshold": 0.7})
    images = rng.random((4, 32, 32, 1), dtype=np.float32)
    by_hand.check(images, images)
    assert by_hand.levels.thresholds == (0.7,)
    with pytest.raises(UsageError, match="threshold"):
        new_method("ascnet", BRAIN, SMALL | {"threshold": 1.5})


def test_a_training_past_its_last_stage_is_finished():
    done = new_method("ascnet", BRAIN, SMALL)
    assert not done.finished
    done.rounds.stage = 3
    assert done.finished


def test_an_untrained_method_has_no_state(tmp_path):
    with pytest.raises(UsageError, match="not trained"):
        new_method("ascnet", BRAIN, SMALL).save_state(tmp_path / "state.weights.h5")


def test_the_defaults_are_the_papers():
    settings = AscNet.default_settings(BRAIN)
    assert (settings.width, settings.learning_rate, settings.batch_size) == (32, 5e-5, 16)


def test_slices_are_drawn_from_scans_of_several_shapes(rng):
    scans = [np.full(shape, 0.5, np.float16) for shape in ((24, 20, 16), (40, 33, 9))]
    scans[0][..., :8] = 0
    side = common_side(scans, 2)
    assert side == (32, 32)
    drawn = ScanSlices(scans, 2, side).draw(10, rng)
    assert drawn.shape == (10, 32, 32, 1)
    assert drawn.dtype == np.float32
    assert drawn.any(axis=(1, 2, 3)).all()
    empty = ScanSlices([np.zeros((24, 20, 16))], 2, side).draw(3, rng)
    assert empty.shape == (3, 32, 32, 1)


def test_unlabelled_slices_take_half_of_the_inputs(rng):
    healthy = ScanSlices([np.full((16, 16, 4), 0.5)], 2, (16, 16))
    others = ScanSlices([np.full((16, 16, 4), 0.25)], 2, (16, 16))
    drawn = InputSlices(healthy, others).draw(8, rng)
    assert (drawn == 0.25).all(axis=(1, 2, 3)).sum() == 4
    assert not (InputSlices(healthy).draw(8, rng) == 0.25).all(axis=(1, 2, 3)).any()


def test_every_eighth_scan_is_held_out():
    scans = [np.full((2, 2, 2), i) for i in range(20)]
    training, kept = hold_out(scans)
    assert [int(scan[0, 0, 0]) for scan in kept] == [3, 11, 19]
    assert len(training) == 17
    assert hold_out(scans[:3])[0] == hold_out(scans[:3])[1]


@pytest.mark.parametrize("shape", [(2, 10, 40), (2, 40, 10), (2, 16, 32)])
def test_slices_are_cut_and_padded_to_one_side(shape, rng):
    slices = rng.random(shape)
    fitted = fit_side(slices, (16, 32))
    assert fitted.shape == (2, 16, 32)
    rows, columns = (max(0, (n - m) // 2) for n, m in zip(shape[1:], (16, 32), strict=True))
    np.testing.assert_array_equal(fitted[:, 0, 0], slices[:, rows, columns])
