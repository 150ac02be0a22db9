"""Pack the training brains of a data folder for a machine with a GPU.

    python scripts/pack_training.py DATA OUT [--packs 2] [--affines FOLDER]

Every scan of use `train` in DATA/MANIFEST.csv but the held-out ones, at its native voxels, standardised, with an
affine to the MNI152 template (niimath, 10 s a scan; kept in FOLDER). OUT gets pack-1.npz, pack-2.npz, ..., each with
every kind of scan in it, and held-out.txt with the names of what nothing is trained on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

import nibabel as nib
import niimath
import numpy as np
from nilearn.datasets import load_mni152_template

from mood.benchmark.manifest import TRAIN, Entry, held_out, read_manifest
from mood.conform import content_box
from mood.intensities import standardised
from mood.regions import BRAIN
from mood.synthesis.native import MARGIN, native_scan
from mood.synthesis.places.store import to_bytes
from mood.training.packed import PackedScan, save_pack
from mood.volume import Volume, load

PROGRAM = Path(niimath.__file__).parent / "bin" / "niimath"
FINEST_MM = 0.75  # finer scans are halved in detail: they would make the box of all scans large
COARSER = (0.85, 0.85, 0.85)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--packs", type=int, default=2)
    parser.add_argument("--affines", type=Path)
    arguments = parser.parse_args()
    affines = arguments.affines or arguments.out / "affines"
    affines.mkdir(parents=True, exist_ok=True)
    entries = read_manifest(arguments.data)
    apart = held_out(entries)
    chosen = [e for e in entries if e.region == "brain" and e.use == TRAIN and e not in apart]
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "held-out.txt").write_text("".join(f"{e.name}\n" for e in apart), encoding="utf-8")
    packed = [packed_scan(entry, affines) for entry in sorted(chosen, key=lambda e: e.name)]
    for i in range(arguments.packs):
        path = arguments.out / f"pack-{i + 1}.npz"
        save_pack(path, packed[i :: arguments.packs])
        print(f"{path}: {len(packed[i :: arguments.packs])} scans, {path.stat().st_size / 1e6:.1f} MB", flush=True)


def packed_scan(entry: Entry, affines: Path) -> PackedScan:
    """One scan as the network is to see it."""
    volume = load(entry.path)
    native = native_scan(volume, BRAIN)
    world = from_native(volume)
    if max(native.spacing_mm) < FINEST_MM:
        shape = tuple(round(n * mm / COARSER[0]) for n, mm in zip(native.data.shape, native.spacing_mm, strict=True))
        centre = np.array(native.centre)
        step = COARSER[0] / np.array(native.spacing_mm)
        shift = np.eye(4)
        shift[:3, :3], shift[:3, 3] = np.diag(step), centre - step * (np.array(shape) - 1) / 2
        native, world = native.onto(shape, COARSER), world @ shift
    print(entry.name, native.data.shape, flush=True)
    data = to_bytes(standardised(np.asarray(native.data, np.float32), BRAIN))
    to_template = template_affine(entry.path, affines) @ world
    return PackedScan(entry.name, data, native.spacing_mm, to_template[:3], entry.name.split("_")[0])


def from_native(volume: Volume) -> np.ndarray:
    """From the voxels of `native_scan` to world millimetres, (4, 4)."""
    turned = nib.as_closest_canonical(nib.Nifti1Image(volume.data, volume.affine))
    low, _ = content_box(turned.get_fdata(dtype=np.float32))
    move = np.eye(4)
    move[:3, 3] = [max(0, first - MARGIN) for first in low]
    return turned.affine @ move


def template_affine(scan: Path, affines: Path) -> np.ndarray:
    """From world millimetres of a scan to those of the template, (4, 4)."""
    path, template = affines / f"{scan.name.removesuffix('.nii.gz')}.json", affines / "template.nii.gz"
    if not template.exists():
        nib.save(load_mni152_template(resolution=2), template)
    if not path.exists():
        command = [
            str(PROGRAM),
            str(scan),
            "-allineate",
            str(template),
            "-savemat",
            str(path),
            str(affines / "moved.nii.gz"),
        ]
        subprocess.run(command, check=True, capture_output=True)
    return np.array(json.loads(path.read_text(encoding="utf-8"))["moving_to_fixed"])


if __name__ == "__main__":
    main()
