import base64
import gzip
import hashlib
import importlib.util
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mood.evaluation.places import body_mask
from mood.evaluation.report import display as displays
from mood.evaluation.report.display import LABEL_FROM, PLACE_FROM, Display, coarser, make_display, pack
from mood.evaluation.report.facts import Reference, ScanSummary
from mood.evaluation.report.pages import VIEWER_SHA256, Group, Pages, viewer_file
from mood.evaluation.report.pictures import BANDS, mosaic, slice_picture, thumbnail
from tests.evaluation.report.toy_folder import AFFINE, SHAPE, TWO, a_map, a_scan


@pytest.fixture
def shown(rng) -> Display:
    scan, decades = a_scan(rng), a_map(TWO[0]) * 8
    scan[:, 42:] = 0
    labels = (decades > 2.5).astype(np.uint16)
    return make_display(scan, decades, labels, decades > 4.5, body_mask(scan), AFFINE)


def unpacked(text: str) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(text)))


def test_a_display_keeps_its_place_in_space(shown):
    peak = np.unravel_index(shown.decades.argmax(), shown.decades.shape)
    np.testing.assert_allclose(
        nib.affines.apply_affine(shown.affine, peak), nib.affines.apply_affine(AFFINE, TWO[0][0])
    )
    assert shown.scan.size < np.prod(SHAPE)  # cut to the body


@pytest.mark.parametrize("flips", [(-1, 1, 1), (1, -1, -1)])
def test_other_orientations_are_turned_to_ras(rng, flips):
    scan, decades = a_scan(rng), a_map(TWO[0]) * 8
    labels = np.zeros(SHAPE, np.uint16)
    axes = [axis for axis in range(3) if flips[axis] < 0]
    affine = AFFINE @ nib.orientations.inv_ornt_aff([[i, f] for i, f in enumerate(flips)], SHAPE)
    turned = [np.flip(each, axes) for each in (scan, decades, labels)]
    plain = make_display(scan, decades, labels, None, body_mask(scan), AFFINE)
    other = make_display(*turned, None, body_mask(turned[0]), affine)
    np.testing.assert_allclose(other.scan, plain.scan)
    np.testing.assert_allclose(other.affine, plain.affine)


def test_coarser_keeps_the_middle_where_it_is(shown):
    coarse = coarser(shown, 2.0)
    assert np.all(coarse.spacing_mm >= 5.9)
    assert set(np.unique(coarse.labels)) <= {0, 1}
    centres = [nib.affines.apply_affine(each.affine, (np.array(each.scan.shape) - 1) / 2) for each in (shown, coarse)]
    np.testing.assert_allclose(*centres, atol=1e-6)
    masses = []
    for each in (shown, coarse):
        voxels = np.argwhere(each.labels > 0)
        weights = each.decades[each.labels > 0]
        masses.append(nib.affines.apply_affine(each.affine, np.average(voxels, axis=0, weights=weights)))
    np.testing.assert_allclose(*masses, atol=1.5)


def test_volumes_for_the_browser_hold_rarity_and_outlines(shown):
    packed = {name: unpacked(text) for name, text in pack(shown).items()}
    overlay = np.asarray(packed["overlay"].dataobj)
    np.testing.assert_allclose(packed["overlay"].affine, shown.affine)
    assert np.asarray(packed["scan"].dataobj).max() <= 127
    assert overlay[shown.labels == 0].max() < LABEL_FROM
    plain = overlay % PLACE_FROM
    assert plain.max() == 80
    assert (overlay[(overlay >= PLACE_FROM) & (overlay < LABEL_FROM)]).size > 20
    assert (overlay >= LABEL_FROM).sum() > 10
    assert shown.truth[overlay >= LABEL_FROM].all()


def test_what_does_not_fit_a_page_is_made_coarser(shown, monkeypatch):
    full = sum(map(len, pack(shown).values()))
    monkeypatch.setattr(displays, "LARGEST_PACKED", full // 2)
    assert sum(map(len, pack(shown).values())) <= full // 2


def test_slices_are_drawn_with_the_left_on_the_left_and_the_front_up(shown):
    peak = np.unravel_index(shown.decades.argmax(), shown.decades.shape)
    picture = np.asarray(slice_picture(shown, 2, int(peak[2]), 3.0)).astype(int)
    reddish = np.argwhere(picture[..., 0] - picture[..., 1] > 40)
    height, width = picture.shape[:2]
    assert reddish[:, 1].mean() < width / 2  # the place lies on the left
    assert reddish[:, 0].mean() < height / 2  # and in front


def test_a_mosaic_has_a_row_a_place_and_one_where_there_is_none(shown):
    three = mosaic(shown, [[-24.0, 18.0, 7.0]] * 5, 3.0)
    assert three.size == (720, 720)
    assert mosaic(shown, [], 3.0).size == (720, 240)
    assert thumbnail(shown, 3.0).size == (168, 168)


def test_bands_differ_for_those_who_see_no_colours():
    lightness = [0.299 * r + 0.587 * g + 0.114 * b for _, (r, g, b) in BANDS]
    assert lightness[0] > lightness[1] + 30 > lightness[2] + 60


def test_the_viewer_is_the_one_whose_licence_is_shipped():
    code = gzip.decompress(viewer_file())
    assert hashlib.sha256(code).hexdigest() == VIEWER_SHA256
    licence = (Path(displays.__file__).parent / "viewer" / "LICENSE-niivue.txt").read_text()
    assert VIEWER_SHA256 in licence
    found = importlib.util.find_spec("nilearn")
    if found is not None:
        theirs = Path(found.submodule_search_locations[0]) / "_assets" / "js" / "niivue.umd.js"
        assert not theirs.is_file() or b'version:"0.68.1"' not in theirs.read_bytes() or theirs.read_bytes() == code


def test_an_overview_of_two_thousand_scans_stays_small(facts, shown):
    picture = "data:image/jpeg;base64," + "A" * 5000
    summaries = [ScanSummary(f"s{i}", f"s{i}.html", score=i / 2000, thumbnail=picture) for i in range(2000)]
    text = Pages().group(Group(facts, summaries, Reference(), {}))
    assert text.count("<li data-name") == 2000
    assert len(text) < 15_000_000
