"""Make the table that places are named by: points of MNI space and the lobe or structure that each lies in.

Cortex: the centres of Schaefer's 400 parcels (MIT), as the wheel of deepmriprep carries them, each parcel's lobe told
from its name. Below it: points of our own in the structures that have no parcels. With a further atlas, whose names
begin with a lobe (Hammers), it prints how often the nearest point's lobe is that atlas's. Needed once.

pip download --no-deps deepmriprep   # and unpack it: deepmriprep/data/templates
python scripts/make_lobes.py Schaefer2018_400Parcels_17Networks_order.nii.gz hammers.nii.gz
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from mood.evaluation.anatomy import FLUID, GREY, TABLE, WHITE, lobe_of, tissue_of
from mood.methods.fit.check import fit_grid
from mood.methods.registration.template import packaged_template
from mood.regions import BRAIN

# What a parcel's name says, the first that fits. Where it names a border, the place decides (`lobe_of_parcel`).
NAMES = (
    ("frontal", r"PFC|OFC|FEF|PrC|FrOper|FrMed|Cingm"),
    ("temporal", r"Temp_|TempPole|TempPar|PHC|Aud"),
    ("insular", r"Ins"),
    ("parietal", r"SPL|IPL|IPS|pCun|Cingp|PostC|ParOper|ParMed|Rsp"),
    ("occipital", r"Vis"),
)
DEEP = {
    "basal ganglia": ((12, 14, 8), (14, 2, 17), (25, 6, 2), (28, -8, 2), (18, -4, 0), (12, 12, -6)),
    "thalamus": ((9, -10, 8), (13, -20, 9), (18, -27, 7)),
    "brainstem": ((0, -20, -12), (0, -27, -28), (0, -36, -42), (0, -42, -55), (7, -24, -20), (8, -30, -34)),
    "cerebellum": (
        (0, -50, -8), (0, -62, -22), (0, -75, -26), (0, -52, -32), (14, -48, -20), (24, -45, -26), (36, -48, -30),
        (14, -66, -22), (28, -64, -28), (42, -62, -32), (12, -80, -32), (28, -80, -36), (42, -70, -42),
        (14, -52, -46), (28, -50, -46), (10, -58, -40), (22, -66, -48), (36, -56, -48), (14, -72, -42), (24, -36, -42),
    ),
    "temporal": ((28, -18, -16), (22, -4, -19), (30, -32, -6), (38, -28, -10), (42, -14, -18), (34, -4, -26)),
}  # fmt: skip
PREFIXES = {"TL": "temporal", "FL": "frontal", "PL": "parietal", "OL": "occipital", "insula": "insular"}
PREFIXES |= {"caudate": "basal ganglia", "putamen": "basal ganglia", "pallidum": "basal ganglia"}
PREFIXES |= {name: name for name in ("thalamus", "cerebellum", "brainstem")}


def lobe_of_parcel(name: str, centre: np.ndarray) -> str:
    _, y, z = centre
    if "TempOcc" in name:
        return "temporal" if y > -60 else "occipital"
    if "ExStr" in name and z < -14 and y > -64:
        return "temporal"
    if "ParOcc" in name:
        return "parietal" if z > 20 and y > -75 else "occipital"
    found = next((lobe for lobe, pattern in NAMES if re.search(pattern, name)), None)
    if found is not None:
        return found
    assert "SomMot" in name, name
    return "frontal" if y > -5 - 0.45 * (z - 15) else "parietal"  # before or behind the central sulcus


def read(atlas: Path) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    image = nib.load(atlas)
    with atlas.with_name(atlas.name.replace(".nii.gz", ".csv")).open(encoding="utf-8") as file:
        names = {int(row["ROIid"]): row["ROIname"] for row in csv.DictReader(file, delimiter=";")}
    return np.asarray(image.dataobj).astype(int), image.affine, names


def cortex(atlas: Path) -> list[tuple[str, np.ndarray]]:
    labels, affine, names = read(atlas)
    centres = ndimage.center_of_mass(labels > 0, labels, list(names))
    points = [nib.affines.apply_affine(affine, centre) for centre in centres]
    return [(lobe_of_parcel(name, point), np.abs(point) * (1, 0, 0) + point * (0, 1, 1))
            for name, point in zip(names.values(), points, strict=True)]  # fmt: skip


def write(rows: list[tuple[str, np.ndarray]]) -> None:
    lines = [f"{lobe},{','.join(str(round(float(mm))) for mm in point)}" for lobe, point in rows]
    TABLE.write_text("\n".join(["lobe,from_midline,y,z", *sorted(set(lines))]) + "\n", encoding="utf-8")
    print(f"{TABLE}: {len(set(lines))} points, {TABLE.stat().st_size} bytes")


def compare(atlas: Path) -> None:
    labels, affine, names = read(atlas)
    told = {
        number: next((to for start, to in PREFIXES.items() if name.startswith(start)), "")
        for number, name in names.items()
    }
    voxels = np.argwhere(np.isin(labels, [number for number, lobe in told.items() if lobe]))
    expected = np.array([told[number] for number in labels[tuple(voxels.T)]])
    found = lobe_of(nib.affines.apply_affine(affine, voxels))
    print(f"of the voxels that {atlas.name} names, {np.mean(found == expected):.0%} have the nearest point's name:")
    for lobe in sorted(set(expected)):
        of_it = found[expected == lobe]
        others = ", ".join(
            f"{name} {np.mean(of_it == name):.0%}" for name in sorted(set(of_it)) if np.mean(of_it == name) > 0.03
        )
        print(f"  {lobe}: {others}")


def compare_tissue() -> None:
    """How often the template's brightness says the tissue that ICBM's own maps of it do; needs nilearn."""
    from nilearn.datasets import load_mni152_gm_template, load_mni152_wm_template

    template = packaged_template("mni152", fit_grid(BRAIN))
    voxels = np.argwhere(template.image > 0)
    points = (voxels - (np.array(template.grid.shape) - 1) / 2) * template.grid.spacing_mm + template.middle_mm
    grey, white = (_values(load(1), points) for load in (load_mni152_gm_template, load_mni152_wm_template))
    shares = {FLUID: 1 - grey - white, GREY: grey, WHITE: white}
    likeliest = np.array(list(shares))[np.argmax(list(shares.values()), axis=0)]
    print(
        f"tissue: {np.mean(tissue_of(points) == likeliest):.0%} of the template's voxels as in the maps of ICBM 2009a"
    )


def _values(image: nib.Nifti1Image, points: np.ndarray) -> np.ndarray:
    voxels = nib.affines.apply_affine(np.linalg.inv(image.affine), points)
    return ndimage.map_coordinates(image.get_fdata(dtype=np.float32), voxels.T, order=1)


def main() -> None:
    atlas, *others = map(Path, sys.argv[1:])
    write(cortex(atlas) + [(lobe, np.array(point)) for lobe, points in DEEP.items() for point in points])
    for other in others:
        compare(other)
    compare_tissue()


if __name__ == "__main__":
    main()
