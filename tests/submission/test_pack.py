import gzip
import io
import json
import subprocess
import tarfile
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from mood.errors import UsageError
from mood.submission.bill import bill_of_materials
from mood.submission.contents import Package
from mood.submission.pack import pack, provenance

DIGEST = "sha256:" + "ab" * 32
COMMIT = "0123456789" * 4
MADE = datetime(2026, 11, 26, tzinfo=UTC)
FACTS = {
    "Id": DIGEST,
    "Created": "2026-11-26T10:00:00.123456789Z",
    "Os": "linux",
    "Architecture": "amd64",
    "DockerVersion": "20.10",
    "RootFS": {"Layers": ["sha256:12"]},
    "Config": {"Labels": {"org.opencontainers.image.revision": COMMIT}},
}
PACKAGES = {
    Package("pypi", "NumPy", "2.4.6", "BSD-3-Clause"),
    Package("pypi", "odd", "1", "Some licence of our own"),
    Package("pypi", "either", "1", "Apache-2.0 OR MIT"),
    Package("deb", "zlib1g", "1:1.2.13"),
    Package("pypi", "nameless", ""),
}
METADATA = b"Name: toy\nVersion: 1.0\nLicense: MIT\n"


class MadeUp:
    """An engine with one image, which holds one package."""

    program = "docker"

    def __init__(self):
        self.names = []

    def facts(self, image):
        return FACTS

    def tag(self, image, name):
        self.names.append((image, name))

    def save(self, image, file):
        file.write(b"layers" * 1000)

    @contextmanager
    def files(self, image):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            member = tarfile.TarInfo("lib/toy-1.0.dist-info/METADATA")
            member.size = len(METADATA)
            archive.addfile(member, io.BytesIO(METADATA))
        stream.seek(0)
        with tarfile.open(fileobj=stream) as archive:
            yield archive


def test_a_bill_fits_the_schema_of_cyclonedx():
    pytest.importorskip("cyclonedx")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = bill_of_materials(PACKAGES, "mood", "1", DIGEST, MADE, "debian-12")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    by_name = {part["name"]: part for part in json.loads(text)["components"]}
    assert by_name["NumPy"]["purl"] == "pkg:pypi/numpy@2.4.6"
    assert by_name["NumPy"]["licenses"][0]["license"]["id"] == "BSD-3-Clause"
    assert by_name["zlib1g"]["purl"] == "pkg:deb/debian/zlib1g@1:1.2.13?distro=debian-12"
    assert by_name["either"]["licenses"][0]["expression"] == "Apache-2.0 OR MIT"
    assert len(by_name) == len(PACKAGES)
    assert text == bill_of_materials(PACKAGES, "mood", "1", DIGEST, MADE, "debian-12")


def test_everything_that_goes_with_an_image_is_written(tmp_path):
    pytest.importorskip("cyclonedx")
    engine = MadeUp()
    written = pack("image", "docker.synapse.org/syn1/mood:v1", tmp_path / "out", engine)
    assert engine.names == [("image", "docker.synapse.org/syn1/mood:v1")]
    endings = ("tar.gz", "cdx.json", "provenance.json", "def", "push.sh")
    assert [path.name for path in written] == [*(f"mood-v1.{ending}" for ending in endings), "SHA256SUMS"]
    assert gzip.decompress(written[0].read_bytes()) == b"layers" * 1000
    done = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=tmp_path / "out", capture_output=True, text=True)
    assert done.stdout.count(": OK") == 5
    assert [part["name"] for part in json.loads(written[1].read_text())["components"]] == ["toy"]
    push = written[4].read_text()
    assert "docker login docker.synapse.org\ndocker push docker.synapse.org/syn1/mood:v1\n" in push
    assert "From: mood-v1.tar.gz\n" in written[3].read_text()


def test_provenance_names_the_archive_the_image_and_the_commit():
    told = provenance("mood:1", FACTS, "mood-1.tar.gz", "cd" * 32, "docker")
    assert {subject["name"]: subject["digest"]["sha256"] for subject in told["subject"]} == {
        "mood-1.tar.gz": "cd" * 32,
        "mood:1": "ab" * 32,
    }
    assert told["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"] == {"gitCommit": COMMIT}
    unknown = provenance("mood:1", FACTS | {"Config": {"Labels": None}}, "a", "b", "docker")
    assert unknown["predicate"]["buildDefinition"]["resolvedDependencies"] == []


@pytest.mark.parametrize("name", ["mood", "docker.synapse.org/mood", "mood:", "a b:1", ":1", ""])
def test_a_name_without_a_tag_or_with_odd_letters_is_refused_first(tmp_path, name):
    pytest.importorskip("cyclonedx")
    engine = MadeUp()
    with pytest.raises(UsageError, match="cannot be pushed under this name"):
        pack("image", name, tmp_path, engine)
    assert engine.names == []


def test_without_the_library_a_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("mood.submission.bill.installed", lambda package: False)
    with pytest.raises(UsageError, match=r"pip install 'mood-ood\[submit\]'"):
        pack("image", "mood:1", tmp_path, MadeUp())
