"""The service's web page in a real browser: by keyboard, on a phone, in the dark, and when something goes wrong."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pictures import encode_dicom
from processes import find_faults
from services import CARD, FakeClassifier, Service, draw_png, run_service

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]

LONG = "a_name_without_a_single_space_that_is_far_too_long_for_the_narrow_screen_of_a_phone.png"
# The lowest contrast of any text that can be seen, as WCAG 2 measures it.
FIND_LOWEST_CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (c) => c.slice(0, 3).map((v) => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  let worst = [99, ""];
  for (const e of document.querySelectorAll("body *")) {
    const text = [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
    if (!text || !e.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < worst[0]) worst = [ratio, text];
  }
  return worst;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with run_service(
        FakeClassifier(CARD.model_copy(update={"data": "phantom", "title": "Benign or malignant?"}))
    ) as service:
        yield service


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.said: list[str] = []
    page.asked: list[str] = []
    # Chromium reports a refused request as an error of its own accord.
    page.on(
        "console",
        lambda m: page.said.append(m.text) if m.type == "error" and "Failed to load" not in m.text else None,
    )
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    page.close()


def make_file(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "", "buffer": content}


def focus_on(page: Any) -> str:
    return page.evaluate("document.activeElement.id || document.activeElement.tagName")


def tab_to(page: Any, wanted: str) -> None:
    for _ in range(20):
        page.keyboard.press("Tab")
        if focus_on(page) == wanted:
            return
    raise AssertionError(f"the keyboard does not reach {wanted}")


def test_a_person_with_only_a_keyboard_gets_every_answer(service: Service, page: Any) -> None:
    # From here on the browser hands file choosers over; asked for later, it may open one before it knows.
    page.on("filechooser", lambda _: None)
    page.goto(service.address)
    page.get_by_role("heading", name="Benign or malignant?").wait_for()
    assert "phantom" in page.get_by_role("note").inner_text()

    page.keyboard.press("Tab")
    assert focus_on(page) == "choose"
    assert page.locator("#drop").evaluate("label => getComputedStyle(label).outlineStyle") == "solid"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(
        [
            make_file("dark.png", draw_png(25)),
            make_file("bright.jpg", draw_png(204, kind="JPEG")),
            make_file("white.pgm", draw_png(255, kind="PPM")),
            make_file("text.png", b"no image"),
        ]
    )
    status = page.get_by_role("status")
    status.get_by_text(
        "All 4 answered: 1 benign, 1 malignant, 1 of an unknown kind, 1 without an answer."
    ).wait_for()
    assert status.get_attribute("aria-live") == "polite"

    dark, bright, white, text = page.locator(".answer").all()
    assert "0.10 for “malignant” is below the threshold of 0.40" in dark.inner_text()
    assert "0.80 for “malignant” is at or above the threshold of 0.40" in bright.inner_text()
    meter = bright.get_by_role("meter", name="Calibrated probability of malignant")
    assert meter.get_attribute("aria-valuenow") == "0.8000"
    assert meter.get_attribute("aria-valuetext") == "0.80; threshold 0.40"
    boxes = [meter.locator(part).bounding_box() for part in (".fill", ".tick")]
    width = meter.bounding_box()["width"]
    assert boxes[0]["width"] == pytest.approx(0.8 * width, abs=1)
    assert boxes[1]["x"] + boxes[1]["width"] / 2 - boxes[0]["x"] == pytest.approx(0.4 * width, abs=1)
    warning = white.get_by_role("list", name="Warnings").inner_text()
    assert warning == "This does not look like what the model was trained on"
    assert bright.get_by_role("list", name="Warnings").count() == 0
    assert white.locator(".verdict b").inner_text() == "I do not know this kind of image"
    assert "the answer would be “malignant”" in white.locator(".verdict").inner_text()
    assert "text.png is no image that can be read here" in text.inner_text()

    heat = bright.locator(".heat")
    assert heat.is_visible()
    assert heat.evaluate("image => image.naturalWidth") == 8
    assert bright.locator(".sent").is_visible()
    assert not white.locator(".sent").is_visible()  # no browser shows a PGM
    tab_to(page, "heat")
    page.keyboard.press("Space")
    assert not heat.is_visible()
    assert page.locator("#heat").get_attribute("aria-pressed") == "false"
    page.keyboard.press("Space")
    assert heat.is_visible()

    tab_to(page, "save")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert [row["file"] for row in rows] == ["dark.png", "bright.jpg", "white.pgm", "text.png"]
    assert [row["label"] for row in rows] == ["benign", "malignant", "malignant", ""]
    assert rows[1]["p_malignant"] == "0.8"
    assert rows[3]["error"].startswith("text.png is no image")

    tab_to(page, "clear")
    page.keyboard.press("Enter")
    assert page.locator(".answer").count() == 0
    assert focus_on(page) == "choose"
    assert page.said == []
    assert all(url.startswith((service.address, "data:", "blob:")) for url in page.asked)


def count_colours(page: Any) -> int:
    """How many grey levels the enlarged original shows."""
    return page.locator("#original").evaluate(
        """canvas => new Set(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
        .filter((_, at) => at % 4 === 0)).size"""
    )


@pytest.mark.parametrize("width", [1200, 390])
def test_a_picture_is_enlarged_zoomed_moved_and_windowed_on_its_own_sixteen_bits(
    service: Service, page: Any, width: int
) -> None:
    # Not wait_for_function, whose polling the page's security policy forbids.
    expect = pytest.importorskip("playwright.sync_api").expect
    page.set_viewport_size({"width": width, "height": 844})
    ramp = np.linspace(0, 4095, 64 * 64).astype(np.uint16).reshape(64, 64)
    dicom = encode_dicom(ramp, WindowCenter=30, WindowWidth=4)
    page.goto(service.address)
    page.set_input_files("#choose", [make_file("film.dcm", dicom)])
    page.get_by_text("Answered.").wait_for()
    page.get_by_role("button", name="Enlarge", exact=True).click()
    viewer = page.get_by_role("dialog", name="film.dcm")
    viewer.get_by_text("The original, 64 × 64 pixels of 16 bits").wait_for()
    canvas = page.locator("#original")
    expect(canvas).to_have_attribute("data-zoom", "1.00")
    assert count_colours(page) > 100
    # A window of one value: all else is black or white.
    page.locator("#width").fill("1")
    page.wait_for_timeout(200)
    assert count_colours(page) <= 20
    canvas.focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    expect(canvas).to_have_attribute("data-zoom", "1.50")
    assert canvas.get_attribute("data-at") != "0,0"
    viewer.get_by_role("button", name="Reset").click()
    expect(canvas).to_have_attribute("data-zoom", "1.00")
    over = page.locator("#viewer-over")
    assert over.is_visible()
    viewer.get_by_role("button", name="Heat map").click()
    assert not over.is_visible()
    assert "what speaks for" in page.locator("#viewer-seen-words").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.keyboard.press("Escape")
    assert not viewer.is_visible()
    assert page.said == []


def test_what_speaks_against_the_finding_is_not_red(service: Service, page: Any) -> None:
    page.goto(service.address)
    page.set_input_files("#choose", [make_file("dark.png", draw_png(25)), make_file("b.png", draw_png(204))])
    page.get_by_text("All 2 answered").wait_for()
    colours = page.locator(".answer .heat").evaluate_all(
        """images => images.map(image => { const canvas = new OffscreenCanvas(8, 8);
        const context = canvas.getContext("2d"); context.drawImage(image, 0, 0);
        return [...context.getImageData(7, 7, 1, 1).data]; })"""
    )
    (red, _, blue, _), (warm, _, cool, _) = colours
    assert red < blue
    assert warm > cool
    captions = page.locator(".seen figcaption").all_inner_texts()
    assert "what speaks for “benign”" in captions[0]
    assert "what speaks for “malignant”" in captions[1]


def test_many_answers_are_a_table_that_can_be_sorted(service: Service, page: Any) -> None:
    page.goto(service.address)
    names = {"b10.png": 204, "b9.png": 25, "a.png": 120}
    files = [make_file(name, draw_png(value)) for name, value in names.items()]
    page.set_input_files("#choose", [*files, make_file("bad.png", b"no image")])
    page.get_by_text("All 4 answered").wait_for()
    page.get_by_role("button", name="As a table").click()

    def column(at: int) -> list[str]:
        return page.locator(f"#table tbody td:nth-child({at})").all_inner_texts()

    assert column(1) == [*names, "bad.png"]
    page.get_by_role("button", name="File").click()
    assert column(1) == ["a.png", "b9.png", "b10.png", "bad.png"]
    head = page.get_by_role("button", name="Probability of “malignant”")
    head.click()
    assert column(3) == ["0.8000", "0.4706", "0.0980", "–"]
    assert page.locator("#table th").nth(2).get_attribute("aria-sort") == "descending"
    head = page.get_by_role("button", name="Probability of “malignant”")
    head.click()
    assert column(3) == ["0.0980", "0.4706", "0.8000", "–"]
    page.get_by_role("button", name="b9.png").click()
    assert page.get_by_role("dialog", name="b9.png").is_visible()


def test_ratings_are_offered_only_where_they_are_kept(page: Any, service: Service, tmp_path: Path) -> None:
    page.goto(service.address)
    page.set_input_files("#choose", [make_file("a.png", draw_png(204))])
    page.get_by_text("Answered.").wait_for()
    assert not page.get_by_role("button", name="Right").is_visible()
    file = tmp_path / "ratings.csv"
    with run_service(feedback=file) as asking:
        page.goto(asking.address)
        page.set_input_files("#choose", [make_file("a.png", draw_png(204))])
        page.get_by_role("button", name="Wrong").click()
        page.get_by_text("Noted as wrong.").wait_for()
        assert page.get_by_role("button", name="Wrong").get_attribute("aria-pressed") == "true"
    assert file.read_text().count("False") == 2  # known to the model, and wrong


def test_a_name_that_begins_like_a_formula_is_saved_as_text(service: Service, page: Any) -> None:
    page.goto(service.address)
    page.set_input_files("#choose", [make_file("=1+1.png", draw_png(204))])
    page.get_by_text("Answered.").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    assert Path(download.value.path()).read_text().splitlines()[1].startswith('"\'=1+1.png"')


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_can_be_read_by_day_and_by_night(
    service: Service, page: Any, scheme: str
) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme=scheme)
    page.goto(service.address)
    page.locator("#card dl").wait_for()
    page.set_input_files(
        "#choose",
        [make_file(LONG, draw_png(255)), make_file(f"bad_{LONG}", b""), make_file("dark.png", draw_png(9))],
    )
    page.get_by_text("All 3 answered").wait_for()
    page.get_by_text("The whole card").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    ratio, text = page.evaluate(FIND_LOWEST_CONTRAST)
    assert ratio >= 4.5, text
    for button in page.get_by_role("button").all():
        assert button.bounding_box()["height"] >= 40

    page.goto(f"{service.address}/docs")
    assert page.get_by_role("heading", name="POST /predict").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate(FIND_LOWEST_CONTRAST)[0] >= 4.5
    assert page.said == []
    assert all(url.startswith((service.address, "data:", "blob:")) for url in page.asked)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(service: Service, page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(service.address)
    page.locator("#card dl").wait_for()
    assert find_faults(page) == {}
    page.set_input_files(
        "#choose",
        [
            make_file("dark.png", draw_png(25)),
            make_file("white.png", draw_png(255)),
            make_file("bad.png", b""),
        ],
    )
    page.get_by_text("All 3 answered").wait_for()
    page.get_by_text("The whole card").click()
    assert find_faults(page) == {}
    page.get_by_role("button", name="Enlarge", exact=True).first.click()
    page.get_by_role("dialog").wait_for()
    assert find_faults(page) == {}
    page.goto(f"{service.address}/docs")
    assert find_faults(page) == {}


def test_images_can_be_dropped_anywhere_on_the_page(service: Service, page: Any) -> None:
    page.goto(service.address)
    held = page.evaluate_handle(
        """bytes => { const held = new DataTransfer();
        held.items.add(new File([new Uint8Array(bytes)], "dropped.png")); return held; }""",
        list(draw_png(200)),
    )
    page.dispatch_event("#about", "dragover", {"dataTransfer": held})
    assert "over" in page.locator("#drop").get_attribute("class")
    page.dispatch_event("#about", "drop", {"dataTransfer": held})
    page.get_by_text("Answered. dropped.png: malignant.").wait_for()


def test_three_labels_get_a_bar_each_and_no_threshold(page: Any) -> None:
    card = CARD.model_copy(update={"labels": ("normal", "benign", "malignant")})
    with run_service(FakeClassifier(card)) as service:
        page.goto(service.address)
        page.set_input_files("#choose", [make_file("a.png", draw_png(200))])
        page.get_by_text("Answered.").wait_for()
        page.get_by_role("meter").nth(2).wait_for()
        names = page.get_by_role("meter").evaluate_all("bars => bars.map(bar => bar.ariaLabel)")
        assert names == [f"Calibrated probability of {label}" for label in card.labels]
        assert page.locator(".tick:visible").count() == 0


def test_it_waits_while_the_service_is_busy_and_says_when_it_is_gone(page: Any) -> None:
    classifier = FakeClassifier()
    with run_service(classifier, waiting=1) as service:
        page.goto(service.address)
        classifier.may_go_on.clear()
        page.set_input_files(
            "#choose", [make_file("first.png", draw_png()), make_file("second.png", draw_png())]
        )
        page.get_by_text("The service is busy; trying again in 1 s.").wait_for()
        classifier.may_go_on.set()
        page.get_by_text("All 2 answered: 2 benign.").wait_for()
    page.set_input_files("#choose", [make_file("late.png", draw_png())])
    page.get_by_text("The service does not answer.").wait_for()
    assert page.get_by_role("button", name="Try again").is_visible()
