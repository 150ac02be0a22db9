"""What a release is made of, without making one: `scripts/release.sh --dry-run` is a step of .ci/run."""

import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP / "scripts"))
import licences  # noqa: E402 - a script


@pytest.mark.parametrize(
    ("licence", "wanted"),
    [
        ("MIT", True),
        ("BSD License; GNU General Public License (GPL); Public Domain", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("BSD-3-Clause AND MIT", True),
        ("Mozilla Public License 2.0 (MPL 2.0)", True),
        ("GPL-3.0", False),
        ("AGPL-3.0-or-later", False),
        ("MIT AND GPL-2.0-only", False),
        ("UNKNOWN", False),
        (None, True),
    ],
)
def test_what_an_image_may_bring(licence, wanted):
    assert licences.permitted("anything", licence) == wanted


def test_nvidias_own_licence_lets_applications_bring_its_libraries():
    assert licences.permitted("nvidia-cublas-cu12", "LicenseRef-NVIDIA-Proprietary")


@pytest.mark.parametrize("lock", [*licences.IMAGES, licences.TOOLS])
def test_every_package_of_a_lock_is_read(lock):
    text = (TOP / "docker" / f"requirements-{lock}.lock").read_text()
    assert len(licences.locked(lock)) == text.count("==") > 20


def test_a_release_is_made_of_a_tag_into_an_empty_folder(tmp_path):
    (tmp_path / "there").touch()
    for words, said in ((["--dry-run", str(tmp_path)], "not empty"), (["--wet"], "usage")):
        command = ["sh", str(TOP / "scripts" / "release.sh"), *words]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"},
        )
        assert done.returncode == 2
        assert said in done.stderr
