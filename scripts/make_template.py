"""Make the brain's template from the MNI152 average in nilearn's wheel: 1.7 mm, standardised, 8 bits; needed once.

pip install nilearn
python scripts/make_template.py
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import nibabel as nib
import numpy as np
from nilearn.datasets import load_mni152_template

from mood.conform import conform, content_box
from mood.intensities import standardised
from mood.methods.registration.template import FOLDER
from mood.regions import BRAIN
from mood.volume import Volume

MNI152 = FOLDER / "mni152.npz"


def main() -> None:
    image, grid = load_mni152_template(resolution=1), BRAIN.grid.coarsened(128)
    volume = Volume(image.get_fdata(dtype=np.float32), image.affine, image.header, Path("mni152"))
    data = standardised(conform(volume, BRAIN, grid)[0], BRAIN)
    low, high = content_box(volume.data)
    middle = nib.affines.apply_affine(image.affine, [(a + b - 1) / 2 for a, b in zip(low, high, strict=True)])
    data = np.round(data * 255).astype(np.uint8)
    np.savez_compressed(MNI152, image=data, spacing_mm=np.array(grid.spacing_mm), middle_mm=middle)
    digest = hashlib.sha256(MNI152.read_bytes()).hexdigest()
    print(f"{MNI152}: SHA-256 {digest}, {MNI152.stat().st_size} bytes")


if __name__ == "__main__":
    main()
