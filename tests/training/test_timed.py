import keras
import numpy as np
import pytest

from mood.training.timed import STATE, TimedRun


def new_run(tmp_path, seconds):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 6, 1))
    network = keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid", name="only")(inputs))
    network.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    network.optimizer.build(network.trainable_variables)
    rng = np.random.default_rng(0)

    def draw(_):
        return rng.normal(size=(4, 8, 6, 1)).astype(np.float32)

    def images(drawn):
        return drawn, (drawn > 0.5).astype(np.float32)

    (tmp_path / "out").mkdir(exist_ok=True)
    return TimedRun("toy", network, draw, images, [draw(0)], seconds, tmp_path / "out", tmp_path / "state", 0.05)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("timed")
    run = new_run(folder, 2.0)
    return folder, run, run.go()


def test_training_lowers_the_loss_and_writes_the_weights(trained):
    folder, run, facts = trained
    assert facts["loss"] < run.losses[0]
    assert facts["check_ap"] > 0.9
    assert (folder / "out" / "toy.weights.h5").exists()


def test_the_rate_rises_and_falls_with_the_time_that_has_passed(tmp_path):
    run = new_run(tmp_path, 100.0)
    rates = []
    for run.passed in (0.0, 4.0, 50.0, 100.0):
        rates.append(run.rate())
    assert rates[0] < rates[1] > rates[2] > rates[3] > 0


def test_a_later_call_goes_on(trained):
    folder, run, facts = trained
    later = new_run(folder, 3.0)
    more = later.go()
    assert more["steps"] > facts["steps"]
    assert later.losses[0] < run.losses[0]
    assert '"passed"' in (folder / "state" / f"toy-{STATE}").read_text()


def test_a_time_that_is_over_ends_the_run(tmp_path):
    run = new_run(tmp_path, 1000.0)
    assert run.go(latest=0.0)["steps"] > 0
    assert run.seconds <= 1.0
