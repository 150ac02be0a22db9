import io
import tarfile

from mood.submission.contents import Package, read_contents, script_path

STATUS = """\
Package: zlib1g
Status: install ok installed
Version: 1:1.2.13
Description: a library
 Package: is no field here

Package: removed
Status: deinstall ok config-files
Version: 1
"""
PYTHON = "Metadata-Version: 2.1\nName: NumPy\nVersion: 2.4.6\nLicense-Expression: BSD-3-Clause\n\nName: not this\n"
CLASSIFIED = (
    "Name: rich\nVersion: 15\nLicense: The text\n of a licence\nClassifier: License :: OSI Approved :: MIT License\n"
)
APK = "C:Q1\nP:musl\nV:1.2.5\nL:MIT\n\nP:busybox\nV:1.36\nL:GPL-2.0-only\n"


def contents(files):
    """files: name to (mode, text); a folder has no text."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, (mode, text) in files.items():
            member = tarfile.TarInfo(name)
            member.mode, member.size = mode, len(text or "")
            member.type = tarfile.DIRTYPE if text is None else tarfile.REGTYPE
            archive.addfile(member, io.BytesIO((text or "").encode()))
    stream.seek(0)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        return read_contents(archive)


def test_the_packages_of_three_kinds_are_found_with_their_licences():
    found = contents(
        {
            "var/lib/dpkg/status": (0o644, STATUS),
            "lib/apk/db/installed": (0o644, APK),
            "opt/venv/lib/python3.11/site-packages/numpy-2.4.6.dist-info/METADATA": (0o644, PYTHON),
            "opt/venv/lib/python3.11/site-packages/rich-15.dist-info/METADATA": (0o644, CLASSIFIED),
            "etc/os-release": (0o644, 'NAME="Debian"\nID=debian\nVERSION_ID="12"\n'),
        }
    )
    assert found.packages == {
        Package("deb", "zlib1g", "1:1.2.13"),
        Package("apk", "musl", "1.2.5", "MIT"),
        Package("apk", "busybox", "1.36", "GPL-2.0-only"),
        Package("pypi", "NumPy", "2.4.6", "BSD-3-Clause"),
        Package("pypi", "rich", "15", "MIT License"),
    }
    assert found.system == "debian-12"


def test_scripts_are_seen_as_they_lie_there():
    sample, pixel = script_path("sample", "brain"), script_path("pixel", "abdom")
    found = contents({sample[1:]: (0o755, "#!/bin/sh\n"), f".{pixel}": (0o644, "echo\r\n"), "run.sh": (0o755, "")})
    assert set(found.scripts) == {sample, pixel}
    assert found.scripts[sample].runs_directly
    assert not found.scripts[pixel].runs_directly


def test_what_not_everybody_can_read_is_named():
    found = contents(
        {
            "workspace": (0o755, None),
            "workspace/shut": (0o700, None),
            "workspace/weights.h5": (0o640, "x"),
            "workspace/open": (0o644, "x"),
            "root/secret": (0o600, "x"),
            "workspace/image.cdx.json": (0o644, "{}"),
        }
    )
    assert found.closed == ["/workspace/shut", "/workspace/weights.h5"]
    assert found.bills == ["/workspace/image.cdx.json"]
