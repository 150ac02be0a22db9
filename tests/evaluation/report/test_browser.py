"""The pages in a real browser, opened from files: clicks, keys, pixels, and what a reader without a mouse needs."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mood.evaluation.places import Place
from mood.evaluation.report import display as displays
from mood.evaluation.report.charts import MOST_DOTS
from mood.evaluation.report.facts import Reference, ScanSummary
from mood.evaluation.report.make import make_report
from mood.evaluation.report.pages import Group, Pages
from mood.evaluation.report.pictures import data_address
from tests.evaluation.report.browser import Browser, find_browser
from tests.evaluation.report.toy_folder import HOSTILE, make_folders

PROGRAM = find_browser()
READY = "document.documentElement.dataset.ready === 'yes'"
WHERE = "document.getElementById('where').textContent"
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed (apt-get install chromium)")


def find_axe() -> Path | None:
    """The rules of axe-core; `MOOD_AXE` or where `npm install axe-core` puts them."""
    places = [os.environ.get("MOOD_AXE", ""), "node_modules/axe-core/axe.min.js"]
    return next((Path(place) for place in places if place and Path(place).is_file()), None)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folders = make_folders(tmp_path_factory.mktemp("report"), np.random.default_rng(0))
    rows = ["participant_id\tsite", "sub-01\tNorth", "sub-02\tSouth"]
    (folders / "in" / "participants.tsv").write_text("\n".join(rows) + "\n")
    options = {"weights": folders / "weights", "healthy": ["sub-02"]}
    make_report(folders / "in", folders / "out", folders / "report", folders / "labels", **options)
    moved = folders / "moved to another place"
    (folders / "report").rename(moved)
    return moved


@pytest.fixture(scope="module")
def chromium():
    with Browser(PROGRAM) as browser:
        yield browser


@pytest.fixture
def browser(chromium):
    """Whatever a test does, the console stays silent and nothing is asked of a network."""
    chromium.ask("Storage.clearDataForOrigin", origin="file://", storageTypes="all")
    chromium.events.clear()
    yield chromium
    assert chromium.complaints() == []
    assert [url for url in chromium.requests() if not url.startswith("file:")] == []


@pytest.fixture
def scan(browser, report) -> Browser:
    """The page of the scan with two places, its viewer ready."""
    browser.open(report / "scans" / "sub-01.html")
    browser.wait(READY)
    return browser


def coloured(picture: np.ndarray) -> int:
    """Pixels of the map: bright red well above green, as neither grey nor the crosshair is."""
    red, green = (picture[..., i].astype(int) for i in range(2))
    return int(((red - green > 40) & (red > 120)).sum())


def test_planes_show_the_scan_in_grey_and_places_in_colour(scan):
    picture = scan.picture("#planes")
    assert coloured(picture) > 300
    grey = (np.ptp(picture.astype(int), axis=2) < 12) & (picture.mean(axis=2) > 60)
    assert grey.sum() > 10_000


def test_keys_go_from_place_to_place_and_back(scan):
    first = scan.run(WHERE)
    assert first.startswith("Place 1 of 2")
    before = scan.picture("#planes")
    scan.press("j")
    assert scan.run(WHERE).startswith("Place 2 of 2")
    assert np.any(scan.picture("#planes") != before)
    assert scan.run("document.querySelector('tr.here').dataset.place") == "1"
    scan.press("j")
    assert scan.run(WHERE) == first
    scan.press("k")
    assert scan.run(WHERE).startswith("Place 2 of 2")


def test_space_hides_the_map_and_brings_it_back(scan):
    before = coloured(scan.picture("#planes"))
    scan.press(" ")
    assert scan.run("document.getElementById('hide').getAttribute('aria-pressed')") == "true"
    assert coloured(scan.picture("#planes")) < before / 20
    scan.press(" ")
    assert coloured(scan.picture("#planes")) == before


def test_r_mirrors_left_and_right(scan):
    before = scan.picture("#planes")
    scan.press("r")
    mirrored = scan.picture("#planes")
    columns = [np.flatnonzero(coloured_columns(each)).mean() for each in (before, mirrored)]
    assert abs(columns[0] - columns[1]) > 20
    scan.press("r")
    np.testing.assert_array_equal(scan.picture("#planes"), before)


def coloured_columns(picture: np.ndarray) -> np.ndarray:
    """Columns of the axial plane, the first third, that hold colour."""
    axial = picture[:, : picture.shape[1] // 3]
    return np.array([coloured(axial[:, i : i + 1]) > 2 for i in range(axial.shape[1])])


def test_the_slider_shows_less_and_says_what_it_means(scan):
    scan.press("j")  # to the place whose peak is between 1 in 1,000 and 1 in 10,000
    before = coloured(scan.picture("#planes"))
    scan.run("document.getElementById('threshold').focus()")
    words = "document.getElementById('threshold-words').textContent"
    assert "1 in 1,000 healthy voxels; 2 places here" in scan.run(words)
    assert "false places a healthy scan (n = 1)" in scan.run(words)
    scan.ask("Input.dispatchKeyEvent", type="keyDown", key="End", code="End", windowsVirtualKeyCode=35)
    assert "rarer than 1 in 100,000" in scan.run(words)
    assert "1 place here" in scan.run(words)
    assert coloured(scan.picture("#planes")) < before * 0.7
    assert scan.run("document.querySelectorAll('tr.below').length") == 1


def test_a_click_on_the_table_jumps_there(scan):
    scan.click("tbody tr[data-place='1'] td:nth-child(2)")
    assert scan.run(WHERE).startswith("Place 2 of 2")


def test_the_table_works_by_keyboard(scan):
    scan.run("document.querySelector('tbody tr[data-place=\"1\"] button').focus()")
    scan.press("Enter")
    assert scan.run(WHERE).startswith("Place 2 of 2")


def test_a_place_is_copied_as_a_sentence(scan):
    scan.ask("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    scan.click("tbody tr[data-place='0'] .copy")
    scan.wait("document.querySelector('.copy').textContent === 'Copied'")
    assert scan.run(WHERE).startswith("Place 1 of 2")
    assert scan.run("navigator.clipboard.readText()").startswith("sub-01, place 1: ")


def test_the_profile_goes_to_a_slice(scan):
    before = scan.run(WHERE)
    scan.click("#profile", x_share=0.9)
    after = scan.run(WHERE)
    assert not after.startswith("Place")
    assert after != before


def test_the_theme_changes_and_follows_the_system(browser, report):
    page = report / "scans" / "sub-02.html"
    colours = []
    for scheme in ("dark", "light"):
        browser.open(page, scheme=scheme)
        colours.append(browser.picture()[5, 5].mean())
    assert colours[0] < 60 < 200 < colours[1]
    browser.click("#theme")
    assert browser.picture()[5, 5].mean() < 60
    browser.open(page, scheme="light")
    assert browser.picture()[5, 5].mean() < 60  # it is kept


@pytest.mark.parametrize("page", ["index.html", "scans/sub-01.html"])
def test_nothing_sticks_out_on_a_phone(browser, report, page):
    browser.open(report / page, width=390, height=844)
    if "scans" in page:
        browser.wait(READY)
        assert coloured(browser.picture("#planes")) > 100
    assert browser.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_overview_sorts_searches_and_colours(browser, report):
    browser.open(report / "index.html")
    names = "[...document.querySelectorAll('#wall li:not([hidden])')].map((card) => card.dataset.name)"
    assert browser.run(names)[-1] == "sub-02"  # nothing stands out there
    choose(browser, "sort", "name")
    assert browser.run(names) == sorted(browser.run(names))
    browser.run("document.getElementById('search').focus()")
    browser.ask("Input.insertText", text="sub 01")
    assert browser.run(names) == ["sub-01"]
    assert browser.run("document.getElementById('shown').textContent") == "1 of 3 shown"
    choose(browser, "colour", "site")
    assert "North" in browser.run("document.getElementById('groups').textContent")
    card = "getComputedStyle(document.querySelector('#wall li:not([hidden])')).borderTopColor"
    browser.wait(f"{card} === 'rgb(68, 119, 170)'")


def choose(browser: Browser, element: str, value: str) -> None:
    browser.run(
        f"(() => {{ const e = document.getElementById('{element}'); e.value = '{value}';"
        " e.dispatchEvent(new Event('change')); })()"
    )


def test_links_lead_to_scans_and_back(browser, report):
    browser.open(report / "index.html")
    browser.click("#wall li:last-child a")
    browser.wait("document.title.startsWith('sub-02')")
    browser.click("nav a")
    browser.wait("document.title.startsWith('3 scans')")


def test_where_nothing_stands_out_the_rarest_voxel_is_shown(browser, report):
    browser.open(report / "scans" / "sub-02.html")
    browser.wait(READY)
    assert browser.run(WHERE).endswith("nothing unusual")
    browser.press("j")  # there is no place to go to
    assert browser.run("document.querySelector('h1').textContent").startswith("sub-02: nothing stands out")


def test_markup_in_a_name_is_shown_and_not_run(browser, report):
    browser.open(report / "scans" / f"{HOSTILE}.html")
    browser.wait(READY)
    assert HOSTILE in browser.run("document.querySelector('h1').textContent")


def test_without_3d_graphics_there_is_a_picture(report):
    with Browser(PROGRAM, "--disable-3d-apis") as browser:
        browser.open(report / "scans" / "sub-01.html")
        browser.wait(f"{WHERE}.includes('no 3-D graphics')")
        assert browser.run("document.getElementById('mosaic').naturalWidth") > 400
        assert coloured(browser.picture("#mosaic")) > 300
        browser.press("j")  # does nothing, and breaks nothing
        browser.click("tbody tr td")
        assert [text for text in browser.complaints() if "WebGL" not in text] == []


@pytest.mark.skipif(find_axe() is None, reason="axe-core is not installed (npm install axe-core, or set MOOD_AXE)")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["index.html", "scans/sub-01.html", "scans/sub-02.html"])
def test_axe_finds_nothing_serious(browser, report, page, scheme):
    browser.open(report / page, scheme=scheme)
    if "scans" in page:
        browser.wait(READY)
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    browser.run(find_axe().read_text(encoding="utf-8") + "; true")
    found = browser.run(
        "axe.run().then((result) => [result.passes.length,"
        " result.violations.map((rule) => [rule.impact, rule.id, rule.nodes[0].html])])"
    )
    assert found[0] > 15  # rules that had something to look at
    assert [rule for rule in found[1] if rule[0] in ("serious", "critical", "moderate")] == []


def test_the_pages_scripts_are_javascript(report, tmp_path):
    """Node reads them strictly, where there is one."""
    try:
        subprocess.run(["node", "--version"], check=True, capture_output=True)
    except OSError:
        pytest.skip("no node is installed")
    folder = Path(displays.__file__).parent / "templates"
    assert list(folder.glob("*.js"))
    for script in folder.glob("*.js"):
        subprocess.run(["node", "--check", script], check=True)


def test_two_thousand_scans_stay_usable(browser, tmp_path, facts):
    """Sorted, searched, coloured and marked; a scan's page draws some of the dots."""
    rng = np.random.default_rng(0)
    picture = data_address(Image.fromarray(rng.integers(0, 255, (168, 168, 3), np.uint8)))
    place = Place(1, 3.1, 0.7, 0.4, (1.0, 2.0, 3.0), (1.0, 2.0, 3.0), (1, 2, 3), "left", "left, upper", False)
    scans = [
        ScanSummary(f"sub-{i:04}", f"sub-{i:04}.html", score=i / 2000, thumbnail=picture, profile=[1.0],
                    places=[place] * (i % 3), peak_decades=[3.5] * (i % 3), counts=[i % 3] * 7)
        for i in range(2000)
    ]  # fmt: skip
    people = {one.name: {"site": f"site {i % 40}", "age": str(20 + i % 50)} for i, one in enumerate(scans)}
    group = Group(facts, scans, Reference(), people)
    pages = Pages()
    (tmp_path / "index.html").write_text(pages.group(group), encoding="utf-8")
    browser.open(tmp_path / "index.html")
    names = "[...document.querySelectorAll('#wall li:not([hidden])')].map((card) => card.dataset.name)"
    choose(browser, "sort", "score")
    assert browser.run(names)[:2] == ["sub-1999", "sub-1998"]
    choose(browser, "colour", "age")
    assert browser.run("document.getElementById('groups').textContent") == "2069"
    browser.run("document.getElementById('search').focus()")
    browser.ask("Input.insertText", text="sub-003")
    assert browser.run("document.getElementById('shown').textContent") == "10 of 2000 shown"
    payload = {"volumes": {}, "mosaic": "", "points_mm": [], "slices_mm": [0, 1], "rarest_mm": [0, 0, 0]}
    assert pages.scan(group, scans[8], payload).count("<circle") == MOST_DOTS + 1
