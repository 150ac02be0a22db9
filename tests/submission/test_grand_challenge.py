"""The made-up interfaces of a job, and what is left for the platform to collect."""

import json
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from mood.cli.app import run
from mood.errors import NoInputError, UsageError
from mood.formats.mha import read_mha, write_mha
from mood.regions import get_region
from mood.submission.containers import Engine
from mood.submission.grand_challenge import MAP, SCORE, find_job, run_job, weights_folder
from mood.synthesis.toy import draw_subject

TOP = Path(__file__).parents[2]
IMAGES = ("mood:check-cpu", "mood:check-cpu-lean")  # as scripts/ci_image.sh makes them


@pytest.fixture
def interface(tmp_path):
    """interface(slug, listed=True) makes a folder of interfaces with a scan, and inputs.json."""

    def interface(slug="abdominal-ct", listed=True, key="interface", scan=np.zeros((8, 9, 10)), affine=np.eye(4)):
        folder = tmp_path / "input" / "images" / slug
        folder.mkdir(parents=True)
        write_mha(folder / "7f3c.mha", scan, affine)
        entry = {key: {"slug": slug, "super_kind": "Image", "relative_path": f"images/{slug}"}, "image": {"pk": "7"}}
        number = {"interface": {"slug": "age", "super_kind": "Value", "relative_path": "age.json"}, "value": 60}
        if listed:
            (tmp_path / "input" / "inputs.json").write_text(json.dumps([number, entry]))
        return tmp_path / "input"

    return interface


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(
    ("slug", "region"),
    [("abdominal-ct", "abdom"), ("brain-mri", "brain"), ("t1-mri", "brain"), ("ct-image", "abdom"), ("MR_t1", "brain")],
)
def test_the_region_is_that_of_the_interface(interface, slug, region, listed):
    job = find_job(interface(slug, listed))
    assert (job.scan.name, job.region) == ("7f3c.mha", region)


def test_interfaces_may_be_called_sockets(interface):
    assert find_job(interface(key="socket")).region == "abdom"


def test_the_region_can_be_set_where_the_slug_does_not_tell(interface, monkeypatch):
    source = interface("generic-medical-image")
    with pytest.raises(UsageError, match="does not tell"):
        find_job(source)
    monkeypatch.setenv("MOOD_REGION", "abdom")
    assert find_job(source).region == "abdom"


def test_no_scan_several_scans_and_a_broken_list_are_sentences(interface, tmp_path):
    with pytest.raises(NoInputError, match="no scan"):
        find_job(tmp_path)
    source = interface()
    (source / "images" / "abdominal-ct" / "second.mha").touch()
    with pytest.raises(UsageError, match="several scans"):
        find_job(source)
    (source / "inputs.json").write_text('{"interface": 1}')
    with pytest.raises(NoInputError, match="no list of interfaces"):
        find_job(source)


def test_weights_that_were_uploaded_are_taken(tmp_path):
    assert weights_folder(tmp_path / "none", "brain") is None
    (tmp_path / "config.json").touch()
    assert weights_folder(tmp_path, "brain") == tmp_path
    (tmp_path / "brain").mkdir()
    (tmp_path / "brain" / "config.json").touch()
    assert weights_folder(tmp_path, "brain") == tmp_path / "brain"


@pytest.fixture
def torso():
    """A scan of one on a coarse grid, with axes that lead to the left and to the back."""
    region = get_region("abdom")
    grid = region.grid.coarsened(40)
    affine = np.diag([-grid.spacing_mm[0], -grid.spacing_mm[1], grid.spacing_mm[2], 1.0])
    return {"scan": draw_subject(region, grid, np.random.default_rng(0))[:, 4:36, 2:38], "affine": affine}


def test_map_and_score_are_left_where_the_platform_collects_them(interface, torso, tmp_path):
    source = interface(**torso)
    score = run_job(source, tmp_path / "output", tmp_path / "model")
    assert json.loads((tmp_path / "output" / f"{SCORE}.json").read_text()) == pytest.approx(score, abs=1e-6)
    check_map(source, tmp_path / "output")


def check_map(source, output):
    scan, header = read_mha(source / "images" / "abdominal-ct" / "7f3c.mha")
    found, of_map = read_mha(output / "images" / MAP / "7f3c.mha")
    assert found.shape == scan.shape
    np.testing.assert_allclose(of_map.get_best_affine(), header.get_best_affine(), atol=1e-5)
    assert 0 <= found.min() < found.max() <= 1
    wanted = {f"{SCORE}.json", "images", f"images/{MAP}", f"images/{MAP}/7f3c.mha"}
    assert {str(path.relative_to(output)) for path in output.rglob("*")} == wanted


def test_a_scan_that_cannot_be_read_is_a_sentence_and_a_status(interface, tmp_path, capfd):
    source = interface()
    (source / "images" / "abdominal-ct" / "7f3c.mha").write_text("not a scan")
    with pytest.raises(SystemExit) as error:
        run(["submit", "grand-challenge", "--input", str(source), "--output", str(tmp_path / "output")])
    assert error.value.code == 1
    assert "7f3c.mha" in capfd.readouterr().err


@pytest.fixture(scope="module")
def variant():
    """The image for grand-challenge.org, on top of one that scripts/ci_image.sh has built."""
    try:
        engine = Engine()
    except NoInputError as error:
        pytest.skip(str(error))
    made = {}
    for image in IMAGES:
        with suppress(NoInputError):
            made[engine.facts(image)["Created"]] = image
    for _, image in sorted(made.items(), reverse=True)[:1]:
        name = "mood-test-grand-challenge"
        recipe = TOP / "docker" / "grand-challenge.Dockerfile"
        command = ["build", "--quiet", "-f", recipe, "--build-arg", f"MOOD_IMAGE={image}", "-t", name, TOP / "docker"]
        subprocess.run([engine.program, *command], check=True, capture_output=True)
        yield engine, name
        subprocess.run([engine.program, "rmi", "--force", name], capture_output=True, check=False)
        return
    pytest.skip("there is no image of mood; sh scripts/ci_image.sh builds one")


def test_the_container_does_a_job_as_the_platform_runs_it(variant, interface, torso, tmp_path):
    engine, image = variant
    source, output, model = interface(**torso), tmp_path / "output", tmp_path / "model"
    for folder in (output, model):
        folder.mkdir()
        folder.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents[:2]):  # the image's user must be let in
        folder.chmod(0o755)
    options = ["--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    for folder, place in ((source, "/input:ro"), (output, "/output"), (model, "/opt/ml/model:ro")):
        options += ["--volume", f"{folder}:{place}"]
    ended = engine.run(image, [], options, 300, tmp_path / "log")
    assert ended.status == 0, ended.log
    assert 0 <= json.loads((output / f"{SCORE}.json").read_text()) <= 1
    check_map(source, output)
