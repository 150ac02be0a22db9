"""A BIDS data set of small brains, and what the validator says of one."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

SMALL = (40, 48, 36)  # voxels of 4 mm


def make_brain(rng: np.random.Generator) -> np.ndarray:
    """(40, 48, 36) in [0, 1]: an ellipsoid of texture with a bright place in a background of exact zeros."""
    x, y, z = np.indices(SMALL)
    inside = ((x - 20) / 16) ** 2 + ((y - 24) / 20) ** 2 + ((z - 18) / 15) ** 2 < 1
    data = np.where(inside, rng.uniform(0.4, 0.6, SMALL), 0).astype(np.float32)
    data[10:17, 20:27, 15:22] = 1.0
    return data


def make_data_set(root: Path, rng: np.random.Generator) -> Path:
    """Three T1w scans: one participant with two sessions, another with none and a T2w beside."""
    names = ("sub-01/ses-a/anat/sub-01_ses-a_T1w", "sub-01/ses-b/anat/sub-01_ses-b_T1w", "sub-02/anat/sub-02_run-1_T1w")
    brain = make_brain(rng)
    for name in (*names, "sub-02/anat/sub-02_T2w"):
        path = root / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = nib.Nifti1Image(brain, np.diag([4.0, 4.0, 4.0, 1.0]))
        image.header.set_xyzt_units("mm", "sec")
        nib.save(image, path)
        (root / f"{name}.json").write_text("{}")
    description = {"Name": "Toy", "BIDSVersion": "1.10.0", "License": "CC0", "Authors": ["Nobody"]}
    (root / "dataset_description.json").write_text(json.dumps(description))
    (root / "README").write_text("Ellipsoids of texture, which are nobody's brains.\n" * 5)
    (root / "participants.tsv").write_text("participant_id\tage\nsub-01\t30\nsub-02\t40\n")
    return root


def bids_errors(folder: Path) -> list[str]:
    """The errors that the BIDS validator finds in a data set; skips the test where it is not installed."""
    program = shutil.which("bids-validator-deno", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("the BIDS validator is not installed")
    command = [program, "--format", "json", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    issues = json.loads(done.stdout)["issues"]["issues"]
    return [f"{one['code']} {one.get('location', '')}" for one in issues if one["severity"] == "error"]
