from dataclasses import replace

import numpy as np
import pytest

from mood.benchmark.cases import unit_volume
from mood.benchmark.foreign import FOREIGN_PATCH, Box, draw_box, foreign_case, laid_over, mix_box
from mood.benchmark.manifest import TRAIN, read_manifest
from mood.regions import BRAIN

SHAPE = (24, 20, 16)


def test_a_box_mixes_both_scans_and_its_label_is_where_they_differ(rng):
    host, foreign = (rng.uniform(0.1, 1, SHAPE).astype(np.float32) for _ in range(2))
    foreign[5, 6, 7] = host[5, 6, 7]
    box = Box((slice(4, 10), slice(5, 8), slice(6, 12)), 0.75)
    mixed, label = mix_box(host, foreign, box)
    np.testing.assert_allclose(mixed[box.window], 0.25 * host[box.window] + 0.75 * foreign[box.window], rtol=1e-5)
    assert label.sum() == 6 * 3 * 6 - 1
    np.testing.assert_array_equal(mixed[label == 0], host[label == 0])


@pytest.mark.parametrize("seed", range(20))
def test_a_box_is_a_cube_in_millimetres_around_tissue(seed):
    host = np.zeros(SHAPE, np.float32)
    host[2:22, 2:18, 2:14] = 0.5
    box = draw_box(host, np.random.default_rng(seed), (1.0, 1.0, 2.0))
    wide, deep, high = (window.stop - window.start for window in box.window)
    assert abs(wide - deep) <= 1
    assert abs(wide - 2 * high) <= 3
    assert all(0 <= window.start < window.stop for window in box.window)
    assert host[box.window].max() == 0.5
    assert 0.3 <= box.share <= 0.95


def test_a_case_is_changed_by_the_other_scan_alone_and_drawn_the_same_again(data):
    a, b, c = [entry for entry in read_manifest(data) if entry.use == TRAIN]
    one, again, other = (
        foreign_case(a, b, BRAIN, 0, 5),
        foreign_case(a, b, BRAIN, 0, 5),
        foreign_case(a, c, BRAIN, 0, 5),
    )
    assert (one.name, one.kind) == (f"a_0_{FOREIGN_PATCH}", FOREIGN_PATCH)
    np.testing.assert_array_equal(one.volume.data, again.volume.data)
    assert one.label.any()
    assert (one.volume.data != other.volume.data).any()
    assert not foreign_case(a, replace(a, use="validation"), BRAIN, 0, 5).label.any()  # with itself nothing changes


def test_scans_of_one_voxel_size_are_laid_over_each_other_bit_for_bit(data):
    a, b, *_ = [entry for entry in read_manifest(data) if entry.use == TRAIN]
    host, foreign = unit_volume(a, BRAIN), unit_volume(b, BRAIN)
    turned = replace(foreign, data=foreign.data[:, ::-1], affine=foreign.affine @ np.diag([1, -1, 1, 1]))
    for scan in (foreign, turned):
        np.testing.assert_array_equal(laid_over(host, scan, BRAIN), foreign.data)
