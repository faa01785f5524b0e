import base64
import re
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from perception.report.page import PICTURE_WIDTH, Report


def charts(report: Report) -> list[ElementTree.Element]:
    """The page's drawings, parsed: what is not well-formed fails here."""
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", report.html(), re.DOTALL)]


def words(chart: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in chart.iter("text")]


def test_a_page_is_complete_and_needs_nothing_else(tmp_path: Path) -> None:
    report = Report("A drive", "40 frames")
    report.text("Notes", "one\ntwo")
    report.pictures("Frames", [("first", np.zeros((10, 20, 3), np.uint8))])
    report.bars("Shares", {"Road": 0.5})
    path = report.save(tmp_path / "deep" / "report.html")
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "<title>A drive</title>" in page
    assert page.index("Notes") < page.index("Frames") < page.index("Shares")
    assert "prefers-color-scheme: dark" in page and 'name="viewport"' in page
    assert not re.search(r"<script|<link|@import|https?://", page)


def test_what_is_written_is_text_and_never_markup() -> None:
    report = Report("<b>", "<i>")
    report.text("<u>", "<p>")
    report.table("t", ["<th>"], [["<td>"]])
    report.bars("b", {"<svg>": 1.0})
    report.pictures("p", [('"><img', np.zeros((4, 4, 3), np.uint8))])
    page = report.html()
    assert not re.search(r"<(b|i|u)>|<p><p>|<td><td>|<svg>|\"><img\"", page)


def test_a_table_sets_numbers_right_and_leaves_none_empty() -> None:
    report = Report("t")
    report.table("Latency", ["stage", "ms"], [["infer", 1.239], ["read", None]])
    page = report.html()
    assert '<td>infer</td><td class="number">1.24</td>' in page
    assert '<td>read</td><td class="number"></td>' in page


def test_pictures_are_inside_the_page_in_a_sensible_size() -> None:
    report = Report("t")
    frame = np.zeros((900, 1600, 3), np.uint8)
    frame[:, :, 2] = 200  # BGR: red
    report.pictures("Frames", [("a red frame", frame)])
    data = re.search(r'alt="a red frame" src="data:image/jpeg;base64,([^"]+)"', report.html())
    assert data
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data[1]), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (PICTURE_WIDTH * 900 // 1600, PICTURE_WIDTH, 3)
    np.testing.assert_allclose(picture[5, 5], [0, 0, 200], atol=4)


def test_stacked_bars_have_the_parts_in_one_order_behind_each_other() -> None:
    report = Report("t")
    report.stacked("Time", {"old": {"pool": 30.0, "conv": 10.0}, "new": {"conv": 20.0}}, unit="ms")
    (chart,) = charts(report)
    drawn = [rect for rect in chart.iter("rect") if rect.get("height") == "14"]
    pool, conv, none, alone = ((float(r.get("x") or 0), float(r.get("width") or 0)) for r in drawn)
    assert pool[1] == pytest.approx(3 * conv[1], rel=0.01) and none[1] == 0
    assert conv[0] == pytest.approx(pool[0] + pool[1], abs=0.2)
    assert alone == (pytest.approx(pool[0], abs=0.2), pytest.approx(2 * conv[1], rel=0.01))
    assert [rect.get("class") for rect in drawn] == ["s0", "s1", "s0", "s1"]
    said = words(chart)
    assert {"old", "new", "pool", "conv", "40", "20", "ms"} <= set(said)


def test_bars_are_as_long_as_their_values() -> None:
    report = Report("t")
    report.bars("Shares", {"Road": 40.0, "Sky": 10.0, "Car": 0.0}, unit="%")
    (chart,) = charts(report)
    lengths = [float(rect.attrib["width"]) for rect in chart.iter("rect")]
    assert lengths[0] == pytest.approx(4 * lengths[1], rel=0.01) and lengths[2] == 0
    assert {"Road", "Sky", "Car", "40", "10", "%"} <= set(words(chart))
    assert chart.attrib["role"] == "img" and "Road 40 %" in chart.attrib["aria-label"]


def test_a_timeline_marks_when_something_was_there() -> None:
    report = Report("t")
    report.timeline("Signs", {"Stop": [(0.0, 1.0), (3.0, 3.0)], "Yield": [(2.0, 4.0)]}, end=4.0)
    (chart,) = charts(report)
    stop, blink, give_way = ((float(r.attrib["x"]), float(r.attrib["width"])) for r in chart.iter("rect"))
    assert stop[0] < give_way[0] < blink[0]
    assert give_way[1] == pytest.approx(2 * stop[1], rel=0.02)
    assert blink[1] > 0  # a single frame can be seen
    assert {"Stop", "Yield", "seconds"} <= set(words(chart))


def test_a_curve_rises_where_its_values_do() -> None:
    report = Report("t")
    report.curve("Loss", {"train": [(0, 1.0), (5, 0.5), (10, 0.25)]}, x_label="epoch", y_label="loss")
    (chart,) = charts(report)
    (line,) = chart.iter("polyline")
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert points[0][1] < points[1][1] < points[2][1]  # y grows downwards
    assert {"train", "epoch", "loss"} <= set(words(chart))


@pytest.mark.parametrize(
    ("lowest", "names"),
    [
        (100.0, ["0", "20", "40", "60", "80", "100"]),
        (99.82, ["99.80", "99.85", "99.90", "99.95", "100.00"]),
        (50.0, ["50", "60", "70", "80", "90", "100"]),
    ],
)
def test_an_axis_of_percentages_ends_at_100_and_names_no_tick_twice(lowest: float, names: list[str]) -> None:
    report = Report("t")
    report.curve("ROC", {"known": [(0.0, lowest), (1.0, 100.0)]})
    (chart,) = charts(report)
    assert words(chart)[1 : 1 + len(names)] == names


def test_a_reliability_diagram_shows_accuracy_by_confidence_and_how_many_answers_it_rests_on() -> None:
    report = Report("t")
    report.reliability(
        "Reliability", [(float("nan"), float("nan"), 0.0), (0.7, 0.6, 0.25), (0.95, 0.9, 0.75)]
    )
    (chart,) = charts(report)
    accuracy_a, share_a, accuracy_b, share_b = (float(r.attrib["height"]) for r in chart.iter("rect"))
    assert accuracy_b == pytest.approx(1.5 * accuracy_a, rel=0.01)
    assert share_b == pytest.approx(3 * share_a, rel=0.01)
    assert "nan" not in report.html()
    assert {"accuracy", "confidence", "share", "75%"} <= set(words(chart))


def test_a_matrix_distinguishes_right_from_wrong() -> None:
    report = Report("t")
    report.matrix("Confusion", ["Stop", "Yield"], np.array([[9, 1], [0, 5]]))
    (chart,) = charts(report)
    cells = {rect[0].text: rect for rect in chart.iter("rect") if len(rect)}
    right, wrong, other = cells.values()
    assert list(cells) == ["Stop → Stop: 9 (90.0%)", "Stop → Yield: 1 (10.0%)", "Yield → Yield: 5 (100.0%)"]
    # Rows are true classes, columns predicted ones.
    assert right.attrib["y"] == wrong.attrib["y"] and wrong.attrib["x"] == other.attrib["x"]
    assert float(wrong.attrib["x"]) > float(right.attrib["x"])
    assert float(other.attrib["y"]) > float(wrong.attrib["y"])
    assert {"true class", "predicted class"} <= set(words(chart))


@pytest.mark.parametrize("values", [{}, {"only": 0.0}, {"tiny": 1e-9, "huge": 1e9}])
def test_strange_values_still_make_a_chart(values: dict) -> None:
    report = Report("t")
    report.bars("b", values)
    report.curve("c", {name: [(0.0, value)] for name, value in values.items()})
    report.timeline(
        "t", {name: [(0.0, value)] for name, value in values.items()}, end=max(values.values(), default=0.0)
    )
    report.matrix("m", list(values), np.zeros((len(values), len(values))))
    assert len(charts(report)) == 4
