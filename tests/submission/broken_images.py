"""Tiny images for the challenge that do nothing but copy: one that is sound, and others with one fault each.

A map is the scan itself, and a score is a constant for each name, so the shell of any Debian image is enough.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np

from mood.submission.contents import SCRIPTS

SHAPE = (24, 20, 16)
SCRIPT = """\
#!/bin/sh
{begin}
for scan in "$1"/*.nii.gz; do
    name=${{scan##*/}}
    {each}
    if ! gzip -t "$scan" 2>/dev/null; then {damaged}; continue; fi
    {write}
done
{end}
exit 0
"""
WRITE = {
    "sample": 'printf "0.%s\\n" "$(cksum "$scan" | cut -c 1-4)" > "$2/$name.txt"',
    "pixel": 'cp "$scan" "$2/$name"',
}
STAND_IN = {"sample": 'echo 0.5 > "$2/$name.txt"', "pixel": 'cp /workspace/zeros.nii.gz "$2/$name"'}


@dataclass
class Fault:
    """One planted fault: what differs from a sound image, and the code that it is to be found as."""

    code: str
    begin: str = ""
    each: str = ""
    end: str = ""
    damaged: str | None = None
    write: dict[str, str] = field(default_factory=dict)  # by mode
    dockerfile: str = ""
    follows: tuple[str, ...] = ()  # codes of what comes of it
    without: str = ""  # a script that is left out
    seconds: float = 60.0  # a scan


FAULTS = {
    "a script is missing": Fault("script", without="run_pixel_abdom.sh"),
    "Windows line ends": Fault("lines", dockerfile="RUN sed -i 's/$/\\r/' /workspace/run_sample_brain.sh"),
    "it writes beside its output": Fault("read-only", begin="echo > /workspace/cache || exit 1"),
    "it writes to a folder for temporary files": Fault("read-only", begin="echo > /tmp/cache || exit 1"),
    "it downloads": Fault("network", begin="[ -e /sys/class/net/eth0 ] || { echo no route >&2; exit 1; }"),
    "root alone can read the weights": Fault(
        "user",
        begin="cat /workspace/weights >/dev/null || exit 1",
        dockerfile="RUN chmod 600 /workspace/weights",
        follows=("closed",),
    ),
    "a damaged scan ends it": Fault("damaged", damaged="exit 1"),
    "NaN in a map": Fault("nan", write={"pixel": 'cp /workspace/nan.nii.gz "$2/$name"'}),
    "a map on another grid": Fault("shape", write={"pixel": 'cp /workspace/other_grid.nii.gz "$2/$name"'}),
    "scores beyond 1": Fault("range", write={"sample": 'echo "$(cksum "$scan" | cut -c 1-4)" > "$2/$name.txt"'}),
    "files of other names": Fault(
        "missing", write={"sample": 'echo 0.25 > "$2/$name.score"'}, follows=("fails", "extra")
    ),
    "files left behind": Fault("extra", end='echo > "$2/run.log"'),
    "it never ends": Fault(
        "time", begin="case $0 in *pixel_brain*) sleep 300 ;; esac", seconds=1.0, follows=("missing",)
    ),
    "an entry point that runs something else": Fault(
        "entrypoint", dockerfile='ENTRYPOINT ["true"]', follows=("missing",)
    ),
    "no labels": Fault("labels", dockerfile="LABEL org.opencontainers.image.title=''"),
}


def write_context(folder: Path, fault: Fault | None, base: str) -> None:
    """Everything that `docker build` needs."""
    fault = fault or Fault("")
    (folder / "workspace").mkdir()
    for path in SCRIPTS:
        name = Path(path).name
        if name != fault.without:
            (folder / "workspace" / name).write_text(_script("sample" if "sample" in name else "pixel", fault))
            (folder / "workspace" / name).chmod(0o755)
    (folder / "workspace" / "weights").write_text("0.25\n")
    _save(np.zeros(SHAPE, np.float32), folder, "zeros")
    _save(np.full(SHAPE, np.nan, np.float32), folder, "nan")
    _save(np.full(SHAPE[::-1], 0.5, np.float32), folder, "other_grid")
    labels = " ".join(f"org.opencontainers.image.{name}=1" for name in ("title", "version", "revision", "licenses"))
    text = f"FROM {base}\nCOPY workspace /workspace\nLABEL {labels}\n{fault.dockerfile}\n"
    (folder / "Dockerfile").write_text(text)


def _script(mode: str, fault: Fault) -> str:
    write, damaged = fault.write.get(mode, WRITE[mode]), fault.damaged or STAND_IN[mode]
    return SCRIPT.format(begin=fault.begin, each=fault.each, end=fault.end, damaged=damaged, write=write)


def _save(data: np.ndarray, folder: Path, name: str) -> None:
    nib.save(nib.Nifti1Image(data, np.eye(4)), folder / "workspace" / f"{name}.nii.gz")


def write_scans(folder: Path) -> None:
    """Two scans a region, in the challenge's layout."""
    rng = np.random.default_rng(0)
    for region in ("brain", "abdom"):
        place = folder / region / "toy"
        place.mkdir(parents=True)
        for case in range(2):
            nib.save(nib.Nifti1Image(rng.uniform(0, 1, SHAPE).astype(np.float32), np.eye(4)), place / f"s{case}.nii.gz")
