import keras
import numpy as np
import pytest

from mood.networks.ascnet import (
    build_complete,
    build_discriminator,
    build_main_module,
    first_stage_disjointness,
    published_second_stage_disjointness,
    soft_disjointness,
)


@pytest.fixture(scope="module")
def small():
    return build_main_module(width=1)


def test_the_published_width_has_the_published_parameters():
    model = build_main_module()
    assert model.count_params() == 10_823_013
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == 10_815_205
    dropouts = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert len(dropouts) == 11
    assert "dec2_0_drop" in dropouts
    assert "dec1_0_drop" not in dropouts


@pytest.mark.parametrize(("top", "parameters"), [(8, 2_383_329), (16, 4_770_785)])
def test_the_discriminators_have_the_published_parameters(top, parameters):
    assert build_discriminator(160, 160, top=top).count_params() == parameters


def test_the_outputs_are_named_and_any_multiple_of_16_fits(small, rng):
    assert small.output_names == ["Ifc", "Iwc", "Iro", "pair"]
    foreground, other, rebuilt, pair = small.predict_on_batch(rng.random((2, 32, 48, 1), dtype=np.float32))
    assert foreground.shape == other.shape == rebuilt.shape == (2, 32, 48, 1)
    np.testing.assert_array_equal(pair, np.concatenate([foreground, other], axis=-1))
    assert 0 <= rebuilt.min() <= rebuilt.max() <= 1


def test_iro_is_the_sigmoid_of_three_numbers_and_starts_at_either_cut(small):
    (w1, w2), bias = np.ravel(small.get_layer("Iro").kernel), float(small.get_layer("Iro").bias[0])
    assert w1 == w2 > 0
    ends = 1 / (1 + np.exp(-(np.array([0.0, 0.5, 1.0]) * w1 + bias)))
    np.testing.assert_allclose(ends, [0, 0.5, 1], atol=0.02)


def test_the_complete_model_leaves_the_discriminator_alone(small):
    frozen = build_discriminator(32, 32, width=1, trained=False)
    complete = build_complete(small, frozen)
    assert not frozen.trainable_weights
    assert len(complete.trainable_weights) == len(small.trainable_weights)
    answer = complete(np.zeros((2, 32, 32, 1), np.float32))["adversarial"]
    assert answer.shape == (2, 1)


def pair_of(first, second):
    return keras.ops.convert_to_tensor(np.stack([first, second], axis=-1).astype(np.float32)[None])


def test_dropout_starts_from_a_seed_of_its_own_that_no_other_code_has_a_part_in():
    first, second = (
        {
            layer.name: layer.seed
            for layer in build_main_module(width=1).layers
            if isinstance(layer, keras.layers.Dropout)
        }
        for _ in range(2)
    )
    assert first == second
    assert len(set(first.values())) == len(first)
    assert all(0 <= seed < 2**31 for seed in first.values())  # OpenVINO takes no more


def test_disjoint_cuts_cost_less_than_overlapping_ones():
    left, right = np.zeros((8, 8)), np.zeros((8, 8))
    left[:, :4] = right[:, 4:] = 1
    assert float(soft_disjointness(None, pair_of(left, right))) == pytest.approx(1 / 65)
    assert float(soft_disjointness(None, pair_of(left, left))) == pytest.approx(1)
    soft = float(soft_disjointness(None, pair_of(0.5 * left, left)))
    assert soft == pytest.approx((2 * 16 + 1) / (16 + 32 + 1))


def test_switching_everything_off_earns_nothing_in_stage_1():
    off = np.zeros((8, 8))
    assert float(first_stage_disjointness(None, pair_of(off, off))) == pytest.approx(1)
    some = np.full((8, 8), 0.25)
    assert float(first_stage_disjointness(None, pair_of(some, off + 1e-8))) < 0.1


def test_the_published_loss_of_stage_2_is_constant(rng):
    for _ in range(3):
        pair = pair_of(rng.uniform(0.01, 1, (8, 8)), rng.uniform(0.01, 1, (8, 8)))
        assert float(published_second_stage_disjointness(None, pair)) == pytest.approx(1)
