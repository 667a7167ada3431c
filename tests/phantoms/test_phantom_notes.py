import re
from collections import Counter

from mammoscan.phantoms.mias import LICENCE, write_notes
from mammoscan.phantoms.mias_plan import plan_scans

ROW = re.compile(r"mdb\d{3,} [FGD] (NORM |(CALC|CIRC|SPIC|MISC|ARCH|ASYM) [BM]( \d+ \d+ \d+| \*NOTE 3\* ?)?)")


def test_every_row_has_the_published_grammar():
    text = write_notes(plan_scans(161, 7), 7)
    rows = [line for line in text.splitlines() if line.startswith("mdb")]
    assert len(rows) == 330
    assert all(ROW.fullmatch(row) for row in rows)
    endings = Counter(
        "spread" if "*NOTE 3*" in r else "norm" if "NORM" in r else len(r.split()) for r in rows
    )
    assert endings == {"norm": 207, 7: 119, 4: 1, "spread": 3}
    assert text.isascii()
    assert "\r" not in text


def test_blanks_end_rows_as_in_the_published_file():
    rows = [line for line in write_notes(plan_scans(161, 7), 7).splitlines() if line.startswith("mdb")]
    spread = [row for row in rows if "NOTE" in row]
    assert [row.endswith(" ") for row in spread] == [True, False, False]
    assert all(row.endswith("NORM ") for row in rows if "NORM" in row)
    assert not any(row.endswith(" ") for row in rows if "NORM" not in row and "NOTE" not in row)


def test_coordinates_count_from_the_bottom_left():
    scans = plan_scans(12, 7)
    scan = next(s for s in scans if len(s.regions) == 1 and s.regions[0].state == "placed")
    row = next(line for line in write_notes(scans, 7).splitlines() if line.startswith(scan.name))
    region = scan.regions[0]
    assert row.split()[4:] == [str(region.column), str(1024 - region.row), str(region.radius)]


def test_rows_stand_between_rules_and_the_text_says_synthetic():
    text = write_notes(plan_scans(8, 7), 7)
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("mdb"))
    assert "=" * 65 in lines[:first]
    assert lines[-2:] == ["", "=" * 65]
    assert "SYNTHETIC" in text
    assert "synthetic" in LICENCE
