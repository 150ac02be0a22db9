import json
import math

import pytest

from mood.cli.app import run
from mood.errors import UsageError
from mood.intensities import PERCENTILES
from mood.methods import REGISTRY, method_type
from mood.regions import ABDOM, BRAIN, REGIONS, Grid, Region, get_region
from mood.synthesis.toy import MAKERS

KNEE = Region(
    name="knee",
    scans="MRI of one knee",
    modality="MR",
    slice_axis=0,
    grid=Grid((96, 80, 112), (1.6, 1.6, 1.6)),
    content_share=(1.0, 1.0, 1.0),
    symmetric=False,
    toy="torso",
    standard_quantiles=BRAIN.standard_quantiles,
)


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
    with pytest.raises(UsageError, match=r"did you mean 'brain'\?\)\. Choose one of: brain, abdom"):
        get_region("Brain")


@pytest.mark.parametrize("region", [*REGIONS.values(), KNEE], ids=lambda region: region.name)
def test_what_a_region_names_exists(region):
    assert region.default_method in REGISTRY
    assert region.toy in MAKERS
    assert region.modality in ("MR", "CT")
    assert region.has_units == (region.modality == "CT")
    assert region.bench_groups[-1][1] == math.inf  # a scan of any voxels has a group
    assert region.standard_quantiles is None or len(region.standard_quantiles) == len(PERCENTILES)


def test_what_a_network_sees_depends_on_what_is_known_of_the_region():
    views = {region.name: method_type("mix").default_settings(region).views for region in (BRAIN, ABDOM, KNEE)}
    assert views["brain"] == ("plain", "standardised", "mirrored")
    assert views["abdom"] == ("plain",)
    assert views["knee"] == ("plain", "standardised")


@pytest.fixture
def mood(monkeypatch):
    """mood('info') runs the command line where a third region is known."""
    monkeypatch.setitem(REGIONS, "knee", KNEE)

    def mood(*arguments: object) -> None:
        with pytest.raises(SystemExit) as stopped:
            run([str(argument) for argument in arguments])
        assert not stopped.value.code, arguments

    return mood


def test_a_new_region_is_one_entry_and_everything_runs_on_it(mood, tmp_path, capsys):
    """Toy samples, training, prediction and evaluation, with the region's default method."""
    mood("toy", "-o", tmp_path, "-r", "knee", "--side", 32, "--cases", 4)
    toys = tmp_path / "knee" / "toy"
    small = ["--side", 32, "--set", "width=2", "--steps", 2, "--check-every", 2, "--held-out", 1]
    mood("train", "-i", toys, "-o", tmp_path / "weights", "-r", "knee", *small)
    config = json.loads((tmp_path / "weights" / "config.json").read_text())
    assert (config["method"], config["region"]) == ("mix", "knee")
    assert config["settings"]["views"] == ["plain", "standardised"]
    mood("predict", "-i", toys, "-o", tmp_path / "out", "-r", "knee", "--weights", tmp_path / "weights")
    mood("evaluate", "-l", tmp_path / "knee" / "toy_label", "-p", tmp_path / "out", "--resamples", 10)
    assert len(list((tmp_path / "out").glob("*.nii.gz"))) == 4
    assert "4 of 4 scans scored with mix" in capsys.readouterr().out.replace("\n", " ")


def test_fpi_takes_the_published_numbers_of_the_modality():
    fpi = method_type("fpi")
    brain, knee = fpi.default_settings(BRAIN), fpi.default_settings(KNEE)
    assert (knee.architecture, knee.classes, knee.patch_core) == (brain.architecture, brain.classes, brain.patch_core)
    assert knee.slice_axis == 0
