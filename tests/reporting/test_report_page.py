"""The report in a real browser: folded, unfolded, printed, by keyboard, on a phone, in the dark, and by axe-core."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mammoscan.records.section import Section
from mammoscan.reporting.facts import ReportContent
from mammoscan.reporting.report import build_report
from processes import find_faults

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]
SECTION = Section(title="Can it be trusted?", paragraphs=("Perhaps.",))


@pytest.fixture
def report(full: ReportContent, cells: Any, tmp_path: Path) -> Path:
    curves = {"cnn": [(0.0, 0.0), (0.2, 0.8), (1.0, 1.0)], "texture": [(0.0, 0.0), (1.0, 1.0)]}
    file = tmp_path / "report.html"
    file.write_text(
        build_report(replace(full, cells=cells, curves=curves, sections={"trust": SECTION})), encoding="utf-8"
    )
    return file


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any, report: Path) -> Iterator[Any]:
    """Open the report in a page with these settings; the network must not be asked for anything."""
    contexts: list[Any] = []

    def visit(**settings: Any) -> Any:
        context = browser.new_context(**({"viewport": {"width": 1440, "height": 900}} | settings))
        contexts.append(context)
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: asked.append(message.text))
        page.goto(report.as_uri())
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        return page

    yield visit
    for context in contexts:
        context.close()


def test_the_first_screen_holds_headline_leaks_and_three_pictures(visit: Any) -> None:
    page = visit()
    for selector in (".number", ".verdict", ".silent", "svg.roc", ".pictures .matrix", ".tiles.small"):
        box = page.locator(selector).first.bounding_box()
        assert box["y"] + box["height"] <= 900, selector
    assert page.evaluate("document.documentElement.scrollHeight") < 3000


def test_a_section_opens_from_the_contents_which_stay_in_sight(visit: Any) -> None:
    page = visit()
    assert not page.get_by_text("Perhaps.").is_visible()
    page.locator(".contents").get_by_text("Can it be trusted?").click()
    page.get_by_text("Perhaps.").wait_for()
    page.get_by_role("button", name="Open all").click()
    page.mouse.wheel(0, 100_000)
    page.wait_for_timeout(100)
    assert page.locator(".contents").get_by_text("Summary").bounding_box()["y"] >= 0
    page.get_by_role("button", name="Close all").click()
    assert not page.get_by_text("Perhaps.").is_visible()


def test_a_cell_of_the_matrix_shows_its_images_and_only_those(visit: Any) -> None:
    page = visit()
    page.locator('.pictures a[href="#cell-0-1"]').click()
    panel = page.locator("#cell-0-1")
    panel.wait_for()
    assert panel.locator("img").count() == 2
    assert panel.locator("img").evaluate_all("all => all.every((i) => i.naturalWidth > 0)")
    assert "malignant 90 %" in panel.inner_text()
    assert not page.locator("#cell-0-0").is_visible()
    page.locator('#matrix a[href="#cell-0-0"]').click()
    page.locator("#cell-0-0").wait_for()
    assert not panel.is_visible()


def test_without_script_and_in_print_everything_is_open(visit: Any) -> None:
    page = visit(java_script_enabled=False)
    assert page.get_by_text("Perhaps.").is_visible()
    assert page.locator("#cell-0-0").is_visible()
    assert page.locator("#cell-1-1").is_visible()
    page = visit()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.get_by_text("Perhaps.").is_visible()
    assert page.locator("#cell-1-1").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.get_by_text("Perhaps.").is_visible()


def test_all_is_reached_by_keyboard_in_the_order_of_the_page(visit: Any) -> None:
    page = visit()
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate("document.activeElement.getAttribute('href') || document.activeElement.tagName")
        )
    assert seen[:2] == ["#summary", "#summary"]
    order = [seen.index(name) for name in ("#measured", "BUTTON", "#cell-0-0", "SUMMARY")]
    assert order == sorted(order)
    page.locator("#trust summary").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Perhaps.").wait_for()


def test_numbers_are_copied_and_saved(visit: Any, tmp_path: Path) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"], accept_downloads=True)
    page.locator('.contents a[href="#numbers"]').click()
    with page.expect_download() as download:
        page.get_by_text("Save as CSV").click()
    download.value.save_as(tmp_path / "numbers.csv")
    assert "Network,AUC,0.72,0.62,0.82" in (tmp_path / "numbers.csv").read_text()
    page.locator("#numbers").get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert "Network\tAUC\t0.72\t0.62\t0.82" in page.evaluate("navigator.clipboard.readText()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(visit: Any, scheme: str) -> None:
    page = visit(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(visit: Any, scheme: str) -> None:
    page = visit(color_scheme=scheme)
    page.locator('.pictures a[href="#cell-0-1"]').click()
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    assert find_faults(page) == {}
