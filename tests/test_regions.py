import pytest

from mood.errors import UsageError
from mood.regions import ABDOM, BRAIN, REGIONS, get_region


def test_a_coarser_grid_covers_the_same_space():
    for region in REGIONS.values():
        coarse = region.grid.coarsened(64)
        assert coarse.shape == (64, 64, 64)
        for n, mm, m, coarse_mm in zip(
            region.grid.shape, region.grid.spacing_mm, coarse.shape, coarse.spacing_mm, strict=True
        ):
            assert n * mm == pytest.approx(m * coarse_mm)


def test_regions_are_found_by_name_only():
    assert get_region("brain") is BRAIN
    assert get_region("abdom") is ABDOM
    with pytest.raises(UsageError, match="Choose one of: brain, abdom"):
        get_region("Brain")
