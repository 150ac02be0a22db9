"""An image as files to hand in or to keep: an archive, its parts, where it came from, how to push it and run it.

NAME.tar.gz            as `docker load` reads it
NAME.cdx.json          bill of materials (CycloneDX)
NAME.provenance.json   in-toto statement with a SLSA predicate, not signed
NAME.def               recipe for Apptainer
NAME.push.sh           commands that push it
SHA256SUMS             of these, for `sha256sum --check`
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from mood import compression
from mood.atomic import check_writable, replacing, write_text
from mood.errors import UsageError
from mood.installation import DISTRIBUTION, __version__
from mood.submission import bill
from mood.submission.containers import Engine
from mood.submission.contents import FOLDER, read_contents

OCI = "org.opencontainers.image."
NAME = re.compile(r"[a-z0-9][a-z0-9._/:-]*[a-z0-9]|[a-z0-9]", re.IGNORECASE)
SUMS = "SHA256SUMS"
RECIPE = """\
# Builds {stem}.sif from the archive beside this file: apptainer build {stem}.sif {stem}.def
# then, with the scans in $IN and an existing folder $OUT:
# apptainer exec --nv --bind "$IN:/mnt/data:ro,$OUT:/mnt/pred" {stem}.sif \\
#     sh {folder}/run_pixel_brain.sh /mnt/data /mnt/pred
Bootstrap: docker-archive
From: {stem}.tar.gz

%labels
    source.image {image}
    source.digest {digest}
"""
PUSH = """\
#!/bin/sh
# Pushes the image. On another machine than the one it was built on: docker load -i {stem}.tar.gz
set -eu
{program} login {registry}
{program} push {image}
"""


def pack(image: str, name: str, target: Path, engine: Engine) -> list[Path]:
    """Name an image as it is to be pushed, and write everything that goes with it.

    Parameters
    ----------
    image : str
        Its present name or id.
    name : str
        Its name at a registry: "docker.synapse.org/syn123/mood:1".
    target : pathlib.Path
        Folder of the files.
    engine : Engine

    Returns
    -------
    list of pathlib.Path
        The files, the sums last.

    Raises
    ------
    UsageError
        For a name that no image can have, or when what writes the bill of materials is not installed.
    NoInputError
        When there is no such image.
    OutputError
        When the folder cannot be written to.
    """
    bill.require()
    stem = _stem(name)
    facts = engine.facts(image)
    check_writable(target)
    engine.tag(image, name)
    archive = target / f"{stem}.tar.gz"
    with replacing(archive) as temporary, compression.writer(temporary) as file:
        engine.save(name, file)
    texts = {
        "cdx.json": _bill(engine, name, facts),
        "provenance.json": json.dumps(
            provenance(name, facts, archive.name, _sha256(archive), engine.program), indent=1
        ),
        "def": RECIPE.format(stem=stem, folder=FOLDER, image=name, digest=facts["Id"]),
        "push.sh": PUSH.format(stem=stem, program=engine.program, registry=_registry(name), image=shlex.quote(name)),
    }
    written = [archive]
    for ending, text in texts.items():
        written.append(target / f"{stem}.{ending}")
        write_text(written[-1], text.rstrip("\n") + "\n")
    write_text(target / SUMS, sums(written))
    return [*written, target / SUMS]


def _stem(name: str) -> str:
    """What the files are called: the last part of the image's name and its tag."""
    if not NAME.fullmatch(name) or ":" not in name.rpartition("/")[2]:
        fix = "Write REGISTRY/PROJECT/NAME:TAG, such as docker.synapse.org/syn123/mood:1"
        raise UsageError("an image cannot be pushed under this name", where=name, fix=fix)
    return name.rpartition("/")[2].replace(":", "-")


def _registry(name: str) -> str:
    """Where an image of this name is pushed to; nothing for Docker's own."""
    first, slash, _ = name.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else ""


def _bill(engine: Engine, name: str, facts: dict[str, Any]) -> str:
    with engine.files(name) as archive:
        contents = read_contents(archive)
    whole, _, tag = name.rpartition(":")
    made = _moment(facts["Created"])
    return bill.bill_of_materials(contents.packages, whole, tag, facts["Id"], made, contents.system)


def _moment(text: str) -> datetime:
    """Of the engine's, which tells nanoseconds."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", text).replace("Z", "+00:00"))


def provenance(name: str, facts: dict[str, Any], archive: str, sha256: str, program: str) -> dict[str, Any]:
    """What is known of how an image was made, as an in-toto statement (SLSA provenance 1.0).

    Parameters
    ----------
    name : str
    facts : dict
        What the engine knows of the image.
    archive, sha256 : str
        Name and checksum of its file.
    program : str
        The engine.
    """
    config = facts.get("Config") or {}
    labels = config.get("Labels") or {}
    revision, source = labels.get(f"{OCI}revision", ""), labels.get(f"{OCI}source", "")
    known = [{"uri": source or name, "digest": {"gitCommit": revision}}] if _is_commit(revision) else []
    definition = {
        "buildType": "https://docs.docker.com/reference/dockerfile/",
        "externalParameters": {"labels": labels, "platform": f"{facts.get('Os')}/{facts.get('Architecture')}"},
        "internalParameters": {"layers": (facts.get("RootFS") or {}).get("Layers") or []},
        "resolvedDependencies": known,
    }
    builder = {"id": program, "version": {program: facts.get("DockerVersion") or "", DISTRIBUTION: __version__}}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": archive, "digest": {"sha256": sha256}},
            {"name": name, "digest": {"sha256": facts["Id"].removeprefix("sha256:")}},
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": definition,
            "runDetails": {"builder": builder, "metadata": {"finishedOn": facts.get("Created")}},
        },
    }


def _is_commit(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", text) is not None


def sums(paths: Iterable[Path]) -> str:
    """Lines for `sha256sum --check`, run in the folder of the files."""
    return "".join(f"{_sha256(path)}  {path.name}\n" for path in paths)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
