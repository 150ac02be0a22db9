import nibabel as nib
import numpy as np
import pytest

from mood.cli import app as cli
from mood.errors import NoInputError, UsageError
from mood.methods import load_method
from mood.regions import BRAIN
from mood.training.join import join
from mood.training.run import Schedule, train
from mood.weights.store import read_folder

# Without graphs Keras remarks on a network of one input that is given as a list.
pytestmark = [
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match:UserWarning"),
]
SMALL = {"grid_shape": (32, 32, 16), "spacing_mm": (1.0, 1.0, 1.0), "width": 1, "members": 1, "smoothing_mm": 0.0}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("healthy"), np.random.default_rng(0)
    for i in range(4):
        data = np.zeros((32, 28, 16), np.float32)
        data[3:25, 4:20, 1:15] = rng.uniform(0.3, 0.9, (22, 16, 14))
        nib.save(nib.Nifti1Image(data, np.eye(4)), folder / f"s{i}.nii.gz")
    return folder


def trained(healthy, folder, views, seed, **changes):
    settings = SMALL | {"views": views} | changes
    return read_folder(train(healthy, folder, "mix", BRAIN, settings, Schedule(steps=4, held_out=1, seed=seed)))


@pytest.fixture(scope="module")
def apart(eager, healthy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    one = trained(healthy, folder / "plain", ("plain",), 0)
    two = trained(healthy, folder / "mirrored", ("mirrored", "standardised"), 1, members=2)
    return one, two


@pytest.fixture(scope="module")
def joined(apart, healthy, tmp_path_factory):
    """The folder of all three networks, and the average precision that was measured."""
    folder = tmp_path_factory.mktemp("weights") / "three"
    return folder, join(apart, healthy, folder)


def test_the_map_is_the_mean_over_all_networks(apart, joined, rng):
    joined = load_method(read_folder(joined[0]))
    assert joined.settings.views == ("plain", "standardised", "mirrored")
    assert joined.settings.members == 3
    scan = rng.uniform(0.0, 1.0, (32, 32, 16)).astype(np.float32)
    one, two = (load_method(weights).score_volume(scan) for weights in apart)
    np.testing.assert_allclose(joined.score_volume(scan), (one + 2 * two) / 3, atol=1e-5)
    assert joined.calibration is not None


def test_joining_from_the_command_line(apart, healthy, tmp_path, capsys):
    folders = [str(weights.path) for weights in apart]
    with pytest.raises(SystemExit) as stopped:
        cli.run(["join", *folders, "-i", str(healthy), "-o", str(tmp_path / "joined")])
    assert stopped.value.code == 0, capsys.readouterr()
    assert read_folder(tmp_path / "joined").config.settings["members"] == 3


def test_joined_weights_are_joined_again(apart, joined, healthy, tmp_path, rng):
    join([read_folder(joined[0]), apart[0]], healthy, tmp_path / "four")
    scan = rng.uniform(0.0, 1.0, (32, 32, 16)).astype(np.float32)
    one, three, four = (
        load_method(weights).score_volume(scan)
        for weights in (apart[0], read_folder(joined[0]), read_folder(tmp_path / "four"))
    )
    np.testing.assert_allclose(four, (3 * three + one) / 4, atol=1e-5)


def test_the_card_tells_of_all(joined):
    folder, ap = joined
    facts = read_folder(folder).config.training
    assert facts.steps == 8
    assert len(facts.chosen_step) == 2
    assert [step.step for step in facts.provenance] == ["train", "train", "join"]
    assert facts.selection_ap == pytest.approx(ap, abs=1e-4)
    assert "Joined from 2" in (folder / "card.md").read_text()


def test_what_does_not_belong_together_is_refused(apart, healthy, tmp_path):
    with pytest.raises(UsageError, match="nothing to be joined with"):
        join(apart[:1], healthy, tmp_path)
    other = trained(healthy, tmp_path / "other", ("plain",), 0, context=1)
    with pytest.raises(UsageError, match=r"(?s)trained otherwise than.*plain"):
        join([apart[0], other], healthy, tmp_path / "joined")
    atlas = train(healthy, tmp_path / "atlas", "atlas", BRAIN, {"grid_shape": (32, 32, 16)}, Schedule(epochs=1))
    with pytest.raises(UsageError, match="cannot be joined"):
        join([apart[0], read_folder(atlas)], healthy, tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


def test_missing_held_out_scans_are_named(apart, healthy, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "s0.nii.gz").symlink_to(healthy / "s0.nii.gz")
    with pytest.raises(NoInputError, match="held-out scans are missing: s"):
        join(apart, tmp_path / "elsewhere", tmp_path / "joined")
