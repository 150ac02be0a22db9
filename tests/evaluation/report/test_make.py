import csv
import json
import re

import nibabel as nib
import numpy as np
import pytest

from mood.errors import NoInputError, OutputError, UsageError
from mood.evaluation.report.make import make_report, save_previews
from mood.formats.member_volumes import save_members
from tests.evaluation.report.toy_folder import AFFINE, HOSTILE, SHAPE, TWO, a_map, save, write_rows


def build(folders, **more):
    """The report of the folders; summaries by name."""
    options = {"labels": folders / "labels", "weights": folders / "weights"} | more
    summaries = make_report(folders / "in", folders / "out", folders / "report", **options)
    return {one.name: one for one in summaries}


def page(folders, name):
    return (folders / "report" / "scans" / f"{name}.html").read_text(encoding="utf-8")


def data_of(text):
    """What a page hands to its script."""
    return json.loads(re.search(r'id="data">(.*?)</script>', text)[1])


def test_a_scan_is_told_in_a_sentence_a_table_and_files(folders):
    found = build(folders)
    one = found["sub-01"]
    assert [place.number for place in one.places] == [1, 2]
    assert one.places[0].side == "left"
    assert one.places[1].side == "right"
    assert one.peak_decades[0] == 5.0  # 0.7 is above what 1 in 100,000 reaches
    text = page(folders, "sub-01")
    assert "sub-01: 2 places stand out; the larger, " in text
    assert "Not calibrated for your scanner" in text
    assert "Toy &lt;data&gt;." in text
    with (folders / "report" / "regions.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["scan"] == "sub-01"]
    assert [float(row["volume_ml"]) for row in rows] == [place.volume_ml for place in one.places]


def test_files_for_other_viewers_lie_on_the_scans_own_voxels(folders):
    places = build(folders)["sub-01"].places
    files = folders / "report" / "files"
    regions, mask = (nib.load(files / f"sub-01_{kind}.nii.gz") for kind in ("regions", "mask"))
    assert regions.shape == SHAPE
    np.testing.assert_array_equal(regions.affine, AFFINE)
    labels = np.asarray(regions.dataobj)
    assert labels[TWO[0][0]] == 1
    assert labels[TWO[1][0]] == 2
    np.testing.assert_array_equal(np.asarray(mask.dataobj) == 1, labels > 0)
    voxel_ml = abs(np.linalg.det(AFFINE[:3, :3])) / 1000
    assert np.count_nonzero(labels == 1) * voxel_ml == pytest.approx(places[0].volume_ml, abs=1e-3)
    for suffix in ("itksnap.txt", "fsleyes.lut", "slicer.ctbl"):
        assert "left" in (files / f"sub-01_{suffix}").read_text()


def test_nothing_is_found_where_nothing_is(folders):
    assert not build(folders)["sub-02"].places
    text = page(folders, "sub-02")
    assert "nothing stands out at 1 in 1,000 healthy voxels" in text
    assert "That is no proof of health" in text


def test_known_healthy_scans_are_what_others_are_compared_with(folders):
    build(folders, healthy=["sub-02"])
    assert "0 of your 1 healthy scans look this unusual" in page(folders, "sub-01")
    assert "Not calibrated for your scanner" in page(folders, "sub-02")  # not compared with itself
    labels = data_of(page(folders, "sub-01"))["labels"]
    assert labels[2] == "about 0 false places a healthy scan (n = 1); 1 in 1,000 healthy voxels"
    with pytest.raises(UsageError, match="no scan is called 'sub-9'"):
        build(folders, healthy=["sub-9"])


def test_a_stricter_threshold_leaves_fewer_places(folders):
    assert len(build(folders, one_in=10_000)["sub-01"].places) == 1
    with pytest.raises(UsageError, match="cannot be one voxel in 3"):
        build(folders, one_in=3)


def test_markup_in_names_stays_text(folders):
    build(folders)
    for text in (page(folders, HOSTILE), (folders / "report" / "index.html").read_text(encoding="utf-8")):
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "{{ 7*7 }}" in text  # not taken for a template
        assert len(re.findall(r"<script[ >]", text)) == len(re.findall(r"</script>", text))
    assert data_of(page(folders, HOSTILE))["name"] == HOSTILE


def test_a_page_is_whole_and_asks_for_nothing(folders):
    build(folders)
    text = page(folders, "sub-01")
    assert not re.findall(r'(?:src|href)="(?!\.\./index|data:|[^":]+\.html")[^"]+"', text)
    assert len(text) < 6_000_000
    assert "connect-src data: blob:" in text


def test_every_fact_may_be_missing(folders):
    for name in ("run.json", "scores.csv", "sub-01.nii.gz.txt"):
        (folders / "out" / name).unlink()
    with pytest.raises(UsageError, match="which region"):
        build(folders, weights=None, labels=None)
    one = build(folders, weights=None, labels=None, region="brain")["sub-01"]
    assert one.score is None
    text = page(folders, "sub-01")
    assert "rarity: of this folder" in text
    assert "not recorded: there is no run.json" in text
    assert "Against the label" not in text


def test_troubles_of_single_scans_are_told_on_the_overview(folders, rng):
    save(folders / "in" / "sub-03.nii.gz", rng.uniform(0.1, 1, SHAPE).astype(np.float32))
    save(folders / "in" / "sub-04.nii.gz", rng.uniform(0.1, 1, SHAPE).astype(np.float32))
    save(folders / "out" / "sub-04.nii.gz", np.zeros((5, 6, 7), np.float32))
    (folders / "in" / "sub-05.nii.gz").write_bytes(b"no scan")
    (folders / "out" / "sub-05.nii.gz").write_bytes(b"no map")
    save(folders / "in" / "sub-06.nii.gz", rng.uniform(0.1, 1, SHAPE).astype(np.float32))
    save(folders / "out" / "sub-06.nii.gz", np.zeros(SHAPE, np.float32))
    write_rows(folders, [{"scan": "sub-03", "status": "failed", "message": "It is an iguana."}])
    found = build(folders)
    assert found["sub-03"].problem == "It is an iguana."
    assert "the map has shape" in found["sub-04"].problem.lower()
    assert "cannot be read" in found["sub-05"].problem
    assert found["sub-06"].problem == ""
    assert "the map is empty" in page(folders, "sub-06")
    overview = (folders / "report" / "index.html").read_text(encoding="utf-8")
    assert "3 that could not be shown" in overview
    assert "It is an iguana." in overview


def test_a_scan_without_predictions_is_named(folders, rng):
    save(folders / "in" / "sub-07.nii.gz", rng.uniform(0.1, 1, SHAPE).astype(np.float32))
    (folders / "out" / "sub-02.nii.gz").unlink()  # its score is there
    found = build(folders)
    assert found["sub-07"].problem == found["sub-02"].problem == "There is no map of this scan among the predictions."
    assert not (folders / "report" / "scans" / "sub-07.html").exists()
    overview = (folders / "report" / "index.html").read_text(encoding="utf-8")
    assert "2 that could not be shown" in overview
    assert "score 0.0200" in overview  # of sub-02


def test_a_map_that_is_not_finite_is_shown_where_it_is(folders):
    score_map = a_map(TWO[0])
    score_map[:8], score_map[8:10] = np.nan, np.inf
    save(folders / "out" / "sub-02.nii.gz", score_map)
    assert [place.side for place in build(folders)["sub-02"].places][-1] == "left"


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"participant_id\tsite\nsub-01\tNorth\tmore\nsub-02\n\n", b""])
def test_odd_tables_of_participants_break_no_page(folders, text):
    (folders / "in" / "participants.tsv").write_bytes(text)
    if text.startswith(b"\xff"):
        with pytest.raises(NoInputError, match="table of participants cannot be read"):
            build(folders)
        return
    build(folders)
    overview = (folders / "report" / "index.html").read_text(encoding="utf-8")
    assert data_of(overview)["participants"]["sub-01"] == ({"site": "North"} if text else {})


def test_labels_that_do_not_fit_are_left_out(folders, caplog):
    save(folders / "labels" / "sub-02.nii.gz", np.ones((5, 6, 7), np.uint8))
    save(folders / "labels" / "nobody.nii.gz", np.ones(SHAPE, np.uint8))
    found = build(folders)
    assert found["sub-02"].agreement is None
    assert found["sub-01"].agreement.average_precision > 0.9
    assert "1 labels without a scan are left out: nobody" in caplog.text
    assert "sub-02: its label is left out" in caplog.text


def test_an_empty_label_is_said_to_be_empty(folders):
    save(folders / "labels" / "sub-02.nii.gz", np.zeros(SHAPE, np.uint8))
    build(folders)
    assert "the label is empty" in page(folders, "sub-02")


def test_folders_that_cannot_be_meant_are_refused(folders):
    with pytest.raises(NoInputError, match="no such folder"):
        make_report(folders / "in", folders / "nowhere", folders / "report")
    with pytest.raises(NoInputError, match="no such folder"):
        make_report(folders / "in", folders / "out", folders / "report", folders / "nowhere")
    with pytest.raises(NoInputError, match="no prediction of these scans"):
        make_report(folders / "in", folders / "weights", folders / "report", region="brain")
    with pytest.raises(UsageError, match="one of the input folders"):
        make_report(folders / "in", folders / "out", folders / "in", weights=folders / "weights")
    (folders / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        make_report(folders / "in", folders / "out", folders / "file" / "report", weights=folders / "weights")


def test_other_weights_than_those_that_predicted_are_refused(folders):
    config = json.loads((folders / "weights" / "config.json").read_text())
    (folders / "weights" / "config.json").write_text(json.dumps(config | {"sha256": "0" * 64}))
    with pytest.raises(UsageError, match="made with other weights"):
        build(folders)


def test_participants_and_a_site_that_holds_the_flags(folders, rng):
    rows = ["participant_id\tsite\tage"]
    for number in range(10, 18):
        name = f"sub-{number}"
        save(folders / "in" / f"{name}.nii.gz", rng.uniform(0.1, 1, SHAPE).astype(np.float32))
        save(folders / "out" / f"{name}.nii.gz", a_map(TWO[0]) if number < 13 else a_map())
        rows.append(f"{name}\t{'<b>North' if number < 14 else 'South'}\t{number}")
    (folders / "in" / "participants.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    build(folders)
    overview = (folders / "report" / "index.html").read_text(encoding="utf-8")
    assert "3 of 3 scans with places that stand out are of site “&lt;b&gt;North”" in overview
    assert '<option value="age">' in overview
    told = data_of(overview)["participants"]
    assert told["sub-15"] == {"site": "South", "age": "15"}
    with pytest.raises(NoInputError, match="no such table"):
        build(folders, participants=folders / "nothing.tsv")


def test_a_second_report_replaces_the_first_and_leaves_no_litter(folders):
    build(folders)
    build(folders, one_in=10_000)
    assert "1 place stands out" in page(folders, "sub-01")
    assert not list((folders / "report").glob(".partial*"))


def test_previews_lie_beside_the_maps(folders, caplog):
    (folders / "out" / "sub-02.nii.gz").unlink()
    written = save_previews(folders / "in", folders / "out", "brain", folders / "weights")
    assert sorted(path.name for path in written) == sorted([f"{HOSTILE}.png", "sub-01.png"])
    assert all(path.stat().st_size > 1000 for path in written)
    assert "sub-02: no preview" in caplog.text


def lay_on_template(folders, **matrices):
    """Let the record say where the scans lie in MNI space."""
    record = json.loads((folders / "out" / "run.json").read_text())
    rows = [{"scan": name, "to_mni": matrix, "figures": {"correlation": 0.66}} for name, matrix in matrices.items()]
    (folders / "out" / "run.json").write_text(json.dumps(record | {"scans": rows}))


def test_places_on_the_template_have_names_and_a_mean_map(folders):
    matrix = np.diag([3.4, 3.4, 3.7, 1.0])
    matrix[:3, 3] = (-66, -100, -66)
    lay_on_template(folders, **{"sub-01": matrix.tolist(), "sub-02": matrix.tolist()})
    one = build(folders)["sub-01"]
    name = one.places[0].name
    assert name.startswith("left")
    assert f"ml, lies in {name}." in page(folders, "sub-01") or f"ml, lies in the {name}." in page(folders, "sub-01")
    assert "likeness to a T1 template: 0.66" in page(folders, "sub-01")
    with (folders / "report" / "regions.csv").open(newline="", encoding="utf-8") as file:
        named = {(row["scan"], row["number"]): row["name"] for row in csv.DictReader(file)}
    assert named["sub-01", "1"] == name
    assert named[HOSTILE, "1"] == ""
    assert name in (folders / "report" / "files" / "sub-01_itksnap.txt").read_text()
    overview = (folders / "report" / "index.html").read_text(encoding="utf-8")
    assert "In how many of 2 scans each place of the MNI template stands out" in overview
    assert "from yellow, one, to violet, 1." in overview


@pytest.mark.parametrize("matrix", [None, "no matrix", [[1.0, 2.0]], np.zeros((4, 4)).tolist()])
def test_without_a_usable_registration_places_have_no_name(folders, matrix):
    lay_on_template(folders, **{"sub-01": matrix})
    one = build(folders)["sub-01"]
    assert (one.places[0].name, one.places[0].side) == ("", "left")
    assert "the scan lies on no template" in page(folders, "sub-01")
    assert "Not drawn: these scans were not brought to a template" in (folders / "report" / "index.html").read_text()


def test_a_template_without_places_has_nothing_to_draw(folders):
    lay_on_template(folders, **{"sub-02": np.eye(4).tolist()})
    build(folders)
    assert "in none of 1 scans on the MNI template" in (folders / "report" / "index.html").read_text()


def test_what_each_member_finds_of_a_place_is_in_table_and_page(folders):
    build(folders)
    assert "Whether the members" not in page(folders, "sub-01")  # the weights have none
    everywhere, nowhere = np.ones(SHAPE, bool), np.zeros(SHAPE, bool)
    found = {"detail": everywhere, "normative": nowhere}
    save_members(folders / "out" / "members" / "sub-01.nii.gz", found, AFFINE)
    assert build(folders)["sub-01"].places[1].members == "detail 100%, normative 0%"
    text = page(folders, "sub-01")
    assert text.count('<td class="long">detail 100%, normative 0%</td>') == 2
    assert '<th scope="col">Members</th>' in text
    assert '<th scope="col">Members</th>' not in page(folders, HOSTILE)
    assert "detail 100%, normative 0%" in (folders / "report" / "regions.csv").read_text()
