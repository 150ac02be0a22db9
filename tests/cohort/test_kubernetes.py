"""There is no cluster to try the manifest on: its parts are what the variable that Kubernetes sets makes of them."""

from pathlib import Path

import pytest

from mood.cohort.collect import collect
from mood.cohort.parts import part_of_task
from mood.predict import predict_folder

MANIFEST = Path(__file__).parents[2] / "docs" / "kubernetes-job.yaml"


@pytest.fixture
def job():
    return pytest.importorskip("yaml").safe_load(MANIFEST.read_text())["spec"]


def test_the_manifest_knows_its_number_of_parts_once(job):
    (container,) = job["template"]["spec"]["containers"]
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    assert job["completionMode"] == "Indexed"
    assert environment["MOOD_PARTS"] == str(job["completions"])
    assert container["command"][:2] == ["mood", "predict"]
    assert "--part" not in container["command"]


def test_its_pods_score_every_scan_once(job, cohort, tmp_path, method):
    (container,) = job["template"]["spec"]["containers"]
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    found = []
    for index in range(job["completions"]):
        part = part_of_task(environment | {"JOB_COMPLETION_INDEX": str(index)})
        found += [one.scan for one in predict_folder(cohort, tmp_path / "out", method, part=part)]
    assert sorted(found) == [f"s{i}" for i in range(7)]
    assert [one.status for one in collect(tmp_path / "out")] == ["done"] * 7
