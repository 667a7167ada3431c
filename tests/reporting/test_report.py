import base64
import csv
import hashlib
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pandas as pd
import pytest

from mammoscan.figures.confusion_matrix import draw_confusion_matrix
from mammoscan.figures.style import NOTICE, PHANTOM_STAMP
from mammoscan.params import Recipe
from mammoscan.records.section import Section
from mammoscan.reporting.embed import measure_png
from mammoscan.reporting.facts import Picture
from mammoscan.reporting.report import build_report
from records import make_dataset_record
from reports import measure


class Page(HTMLParser):
    """Reads a page's elements, and holds that all are closed in order."""

    VOID = frozenset({"meta", "img", "br", "link", "hr"})

    def __init__(self, html):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    def find(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        """The page's words, without those of its style and script."""
        return " ".join(" ".join(self.texts).split())


def test_the_page_needs_nothing_but_itself(full):
    html = build_report(full)

    page = Page(html)
    assert not page.open
    assert not page.find("link") + page.find("iframe")
    # The one script is inline, and only it may run.
    [script] = page.find("script")
    assert script == {}
    text = html.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    policy = next(meta["content"] for meta in page.find("meta") if meta.get("http-equiv"))
    assert policy.startswith("default-src 'none';")
    assert f"script-src 'sha256-{digest}';" in policy
    assert not re.search("https?:|fetch|XMLHttp|import", text)
    sources = [image["src"] for image in page.find("img")]
    assert len(sources) == 5
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert all(link["href"].startswith(("#", "data:text/csv;")) for link in page.find("a"))
    assert not re.search(r"url\(|@import|\bon\w+=", html)


def test_every_link_leads_to_a_section_and_headings_are_in_order(full):
    page = Page(build_report(full))

    ids = {attributes["id"] for _, attributes in page.elements if attributes.get("id")}
    assert {link["href"][1:] for link in page.find("a") if link["href"].startswith("#")} <= ids
    assert len(page.find("h1")) == 1
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_images_have_words_and_tables_have_scopes(full):
    page = Page(build_report(full))

    assert all(image["alt"] for image in page.find("img"))
    assert all(cell.get("scope") in ("col", "row") for cell in page.find("th"))


def test_the_banner_is_there_for_the_phantom_and_only_for_it(bare):
    assert PHANTOM_STAMP not in build_report(bare)
    phantom = Page(build_report(replace(bare, data=bare.data.model_copy(update={"kind": "phantom"})))).text
    assert PHANTOM_STAMP in phantom
    assert "say nothing about any disease" in phantom
    assert "MODIFIED" not in phantom


def test_modified_data_are_called_so_on_top(bare):
    text = Page(build_report(replace(bare, data=bare.data.model_copy(update={"kind": "modified"})))).text

    assert text.index("MODIFIED: not the published images") < text.index("0.72")
    assert PHANTOM_STAMP not in text


def test_hostile_words_stay_words(full, png):
    hostile = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    html = build_report(
        replace(
            full, title=hostile, question=hostile, command=hostile, worth=hostile, limits=(hostile,),
            rejected={hostile: 1},
            data=full.data.model_copy(update={"source": hostile, "address": "javascript:alert(1)"}),
            figures={"roc": Picture(png, caption=hostile, alt=hostile)}, labels=(hostile, "malignant"),
        )
    )  # fmt: skip

    page = Page(html)
    assert len(page.find("script")) == 1
    assert "alert" not in html.split("<script>")[1].split("</script>")[0]
    assert len(page.find("img")) == 1
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert not any("javascript" in str(link) for link in page.find("a"))


def test_the_headline_stands_on_top_in_words_with_its_interval(bare):
    text = Page(build_report(bare)).text

    assert "AUC 0.72 (95 % interval 0.62 to 0.82) on 119 regions" not in text
    assert "AUC 0.72 (95 % interval 0.62 to 0.82) on 119 images of 104 patients" in text
    assert text.index("(95 % interval") < text.rindex("How it was measured")


@pytest.mark.parametrize(
    ("changes", "tone", "part"),
    [
        ({}, "good", "there is a signal"),
        ({"metrics": {"cnn": {"auc": measure(0.55)}}}, "nothing", "This says nothing yet"),
        ({"metrics": {"cnn": {"auc": measure(0.2)}}}, "worse", "swapped labels"),
        ({"metrics": {"cnn": {"auc": {"value": None}}}}, "unknown", "could not be measured"),
        (
            {"metrics": {"cnn": {"auc": measure(0.7)}, "texture": {"auc": measure(0.8)}}},
            "doubt",
            "needs a network",
        ),
        ({"protocol": "author"}, "doubt", "no proof of skill"),
        ({"audit": {"patient": {"count": 3, "share": 0.1}}}, "doubt", "no proof of skill"),
    ],
)
def test_the_headlines_tone_follows_the_numbers(bare, changes, tone, part):
    page = Page(build_report(replace(bare, **changes)))

    assert f"headline tone-{tone}" in {div.get("class") for div in page.find("div")}
    assert part in page.text


def test_what_an_authors_number_is_worth_stands_before_the_number(bare):
    text = Page(build_report(replace(bare, protocol="author", worth="Not much."))).text

    assert text.index("Not much.") < text.index("0.72")


def test_of_images_that_are_files_of_their_own_no_scan_or_note_is_spoken_of(full):
    page, other = (
        build_report(replace(full, data=data, audit=full.audit | sizes))
        for data, sizes in (
            (full.data, {"images": 9, "sources": 8}),
            (make_dataset_record(unit="images", images=9, patients=3), {"images": 9, "sources": 9}),
        )
    )
    for words in ("has another image of its scan there", "Rows of the notes that became no sample"):
        assert words in page
        assert words not in other
    assert "Images that were left out" in other
    assert "has another image of its patient there" in other


def test_parameters_stand_by_their_dotted_names_as_they_are_configured(full):
    network = {"name": "small_cnn", "weights": None}
    page = build_report(
        replace(full, parameters={"a": {"network": network, "freeze": False, "columns": ["x", "y"]}})
    )
    for name, value in (
        ("network.name", "small_cnn"),
        ("network.weights", "null"),
        ("freeze", "false"),
        ("columns", "x, y"),
    ):
        assert f"<code>a.{name}</code></th><td>{value}</td>" in page


def test_subgroups_in_none_of_which_anything_can_be_measured_are_left_out(full):
    types = full.subgroups.assign(by="type", subgroup="adenosis", value=float("nan"))
    page = build_report(replace(full, subgroups=pd.concat([full.subgroups, types])))
    assert "CALC</th>" in page
    assert "adenosis" not in page
    assert "Within subgroups" not in build_report(replace(full, subgroups=types))


def test_a_subgroup_without_a_remark_has_none(full):
    rows = pd.concat([full.subgroups.assign(note="too few"), full.subgroups.assign(note=None)])
    assert rows["note"].isna().sum() == 1
    page = build_report(replace(full, subgroups=rows))
    assert page.count("too few<") == 1
    assert ">nan<" not in page


def test_sections_without_content_are_left_out(bare, full):
    def list_headings(content):
        return re.findall(r"<h2 id=\"(\w+)-heading", build_report(content))

    assert list_headings(bare) == ["measured", "comparison", "data", "numbers", "methods", "repeat"]
    assert list_headings(full) == [
        "measured", "audit", "article", "ablation", "comparison", "subgroups", "curves", "errors",
        "calibration", "data", "training", "more", "limits", "numbers", "methods", "repeat",
    ]  # fmt: skip


def test_the_notice_stands_by_every_place_with_probabilities(full):
    sections = build_report(full).split("<section")

    for name in ("comparison", "errors", "calibration"):
        assert NOTICE in next(part for part in sections if part.startswith(f' id="{name}"'))
    assert NOTICE in sections[0]


def test_the_tables_say_what_was_measured(full):
    text = Page(build_report(full)).text

    for part in (
        "Texture baseline",
        "own",
        "Recall benign 0.60 [0.50, 0.70]",
        "too few patients to say anything",
        "Recall 0.97 0.85 [0.75, 0.95] 500 epochs",
        "Masses, class-balanced 0.70 [0.60, 0.80]",
        "as published 0.90 [0.80, 1.00] –",
        "benign 0.75 0.73 0.74 68",
        "no coordinates 1",
        "group CALC 25 20 0.70 [0.60, 0.80]",
        "Calibration error: 0.20 [0.10, 0.30]",
        "2 min 51 s",
        "mias.train.epochs 30",
    ):
        assert part in text, part


def test_a_figure_is_shown_at_the_size_at_which_its_words_are_legible(png):
    width, height = measure_png(png)

    figure = draw_confusion_matrix([[3, 1], [1, 3]], ("benign", "malignant"), "")
    assert width == pytest.approx(100 * figure.get_size_inches()[0], abs=1)
    assert height == pytest.approx(100 * figure.get_size_inches()[1], abs=1)


def test_a_png_that_states_no_resolution_is_shown_dot_by_dot(png):
    place = png.index(b"pHYs") - 4
    assert measure_png(png[:place] + png[place + 21 :]) == tuple(
        int.from_bytes(png[start : start + 4], "big") for start in (16, 20)
    )


def test_what_is_no_png_is_refused(bare):
    with pytest.raises(ValueError, match="expected a PNG"):
        build_report(replace(bare, figures={"roc": b"GIF89a"}))


def test_a_pictures_own_words_replace_the_houses(bare, png):
    page = Page(build_report(replace(bare, figures={"roc": Picture(png, "Mine", "Told")})))

    assert page.find("img")[0]["alt"] == "Told"
    assert "Mine" in page.text
    assert base64.b64decode(page.find("img")[0]["src"].split(",")[1]) == png


def _luminance(colour):
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_words_can_be_read_on_their_ground_in_light_and_dark(bare):
    schemes = re.findall(r":root \{(.*?)\}", build_report(bare), flags=re.DOTALL)[:2]

    for scheme in schemes:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", scheme))
        pairs = [("warn-ink", "warn-page"), ("ink", "page"), ("muted", "page"), ("accent", "page")]
        pairs += [(name, "card") for name in ("ink", "muted", "accent", "good", "doubt", "nothing", "worse")]
        for word, ground in pairs:
            light, dark = sorted((_luminance(colours[word]), _luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (word, ground)


def test_a_section_of_a_studys_own_shows_its_words_tables_and_figures_once(bare, png):
    entry = {
        "title": "Patients, one by one",
        "paragraphs": ["Counted a patient, not an image."],
        "tables": [
            {
                "caption": "By magnification",
                "columns": ["Magnification", "Images", "Accuracy"],
                "rows": [["40", 1200, measure(0.83)], ["400", 3, None]],
            }
        ],
        "figures": ["probability_map"],
    }
    section = Section.model_validate(entry)
    page = build_report(replace(bare, sections={"breakdown": section}, figures={"probability_map": png}))
    assert '<a href="#breakdown">Patients, one by one</a>' in page
    assert "Counted a patient, not an image." in page
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "40 1,200 0.83 [0.73, 0.93] 400 3 –" in text
    assert page.count('id="figure-probability_map"') == 1
    assert "More figures" not in page


def test_every_cell_of_the_matrix_leads_to_its_images(full, cells):
    html = build_report(replace(full, cells=cells))

    page = Page(html)
    links = [link["href"] for link in page.find("a") if link["href"].startswith("#cell-")]
    assert set(links) == {f"#cell-{row}-{column}" for row in (0, 1) for column in (0, 1)}
    assert len(links) == 8
    panel = html.split('id="cell-0-1"')[1].split('id="cell-1-0"')[0]
    assert "truly benign, called malignant" in panel
    assert "malignant 90 %" in panel
    assert "wrong: it is benign" in panel
    assert "&lt;s1&gt;" in panel
    # The image, and beside it where the evidence lies.
    assert panel.count("<img") == 2
    assert html.split('id="cell-1-0"')[1].split('id="cell-1-1"')[0].count("<img") == 1


def test_the_first_screen_shows_roc_matrix_and_gallery_and_what_is_not_said(full, cells):
    html = build_report(
        replace(full, cells=cells, curves={"cnn": [(0, 0), (0.2, 0.8), (1, 1)], "texture": [(0, 0), (1, 1)]})
    )

    summary = html.split('id="summary"')[1].split("<section")[0]
    words = " ".join(re.sub(r"<[^>]+>", " ", summary).split())
    assert 'role="img" aria-label="ROC curves. Network: AUC 0.72 [0.62, 0.82].' in summary
    assert 'points="0.0,100.0 20.0,20.0 100.0,0.0 "' in summary
    assert summary.count("<img") == 4
    for part in (
        "What it does not say",
        "another hospital",
        "One hospital.",
        "Leaks: None of the 119 test images",
    ):
        assert part in words


def test_the_numbers_can_be_saved_as_csv(full):
    page = Page(build_report(full))

    [link] = [link for link in page.find("a") if "download" in link]
    assert link["download"] == "mias_metrics.csv"
    rows = list(csv.reader(io.StringIO(base64.b64decode(link["href"].split(",")[1]).decode())))
    assert rows[0] == ["Model", "Measure", "Value", "Low", "High", "Interval"]
    assert ["Network", "AUC", "0.72", "0.62", "0.82", ""] in rows


def test_the_checklist_can_be_saved_where_there_is_one(full):
    assert "Save the checklist" not in build_report(full)

    page = Page(build_report(replace(full, checklist="# CLAIM\n\n- Title: äö")))

    _, link = [link for link in page.find("a") if "download" in link]
    assert link["download"] == "mias_checklist.md"
    assert base64.b64decode(link["href"].split(",")[1]).decode() == "# CLAIM\n\n- Title: äö"


def test_a_methods_paragraph_takes_its_numbers_from_the_run(full):
    recipe = Recipe(epochs=30, patience=7, batch_size=16, learning_rate=0.001)
    text = Page(build_report(replace(full, recipe=recipe))).text

    methods = text[text.rindex("Methods and citation") :]
    for part in (
        "322 scans of 161 patients",
        "at most 30 epochs in batches of 16",
        "had not improved for 7 epochs",
        "AUC 0.72 (95 % interval 0.62 to 0.82)",
        "Texture baseline: AUC 0.60 [0.50, 0.70]",
        "no coordinates: 1",
        "commit 0c8edba",
        "Run: a1b2",
    ):
        assert part in methods, part


def test_a_figures_alternative_has_its_numbers(full, cells, png):
    figures = dict.fromkeys(("roc", "confusion_matrix", "ablation", "class_counts", "wrong_gallery"), png)
    page = Page(build_report(replace(full, cells=cells, figures=figures)))

    words = " ".join(image["alt"] for image in page.find("img"))
    for part in (
        "Network: AUC 0.72 [0.62, 0.82].",
        "Of 2 truly benign, 1 were called benign, 1 were called malignant.",
        "as published: AUC 0.90 [0.80, 1.00]",
        "CALC benign : 12 before, 10 after balancing",
        "the surest with probability 0.90",
    ):
        assert part in words, part
