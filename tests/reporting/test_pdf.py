"""A report printed to a PDF by the browser that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mammoscan.errors import MammoscanError
from mammoscan.reporting import pdf
from processes import CHROMIUM

PAGE = """<!DOCTYPE html><html lang="en"><title>A report</title><body><h1>A report</h1>
<details id="fold"><summary>More</summary><p style="break-before: page">Inside the fold</p></details>
<script>addEventListener("beforeprint", () => { document.getElementById("fold").open = true; });</script>
</body></html>"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "report of a run.html"
    file.write_text(PAGE)
    return file


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_page_is_printed_with_its_folds_open(page: Path) -> None:
    target = page.with_name("a folder") / "report.pdf"
    assert pdf.print_pdf(page, target) == target
    content = target.read_bytes()
    assert content.startswith(b"%PDF-")
    # What is in the fold stands on a page of its own.
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 2
    assert [path.name for path in target.parent.iterdir()] == ["report.pdf"]


def test_without_a_browser_one_line_says_what_to_do(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(page.parent))
    with pytest.raises(
        MammoscanError, match=r"found none of chromium, .* install Chromium, or open"
    ) as caught:
        pdf.print_pdf(page, page.with_suffix(".pdf"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'no display' >&2; exit 1", "no display"),
        ("exit 0", "it said nothing"),
        ("sleep 30", "longer than 1 s"),
    ],
    ids=["fails", "writes nothing", "hangs"],
)
def test_a_browser_that_prints_nothing_is_one_line_and_leaves_the_former_file(
    script: str, reason: str, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / "chromium"
    browser.write_text(f"#!/bin/sh\n{script}\n")
    browser.chmod(0o755)
    monkeypatch.setattr(pdf, "find_browser", lambda: str(browser))
    monkeypatch.setattr(pdf, "SECONDS", 1)
    former = page.with_suffix(".pdf")
    former.write_bytes(b"%PDF- of before")
    with pytest.raises(MammoscanError, match=reason):
        pdf.print_pdf(page, former)
    assert former.read_bytes() == b"%PDF- of before"
