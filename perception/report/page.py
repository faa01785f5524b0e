"""One self-contained HTML page: what ``run``, ``demo`` and training's ``evaluate`` write.

Style, pictures and charts are inside the file: no scripts, nothing from a network,
so it can be mailed, archived and opened on a machine without any of this software.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.paths import replacing
from perception.report import charts

PICTURE_WIDTH = 800  # px; enough for a wide screen, and a dozen of them stay under 2 MB

STYLE = """
:root { color-scheme: light dark;
  --page: #fff; --ink: #1d2129; --soft: #616a77; --line: #e2e5ea; --wash: #f6f7f9;
  --c0: #2f6fde; --c1: #d1571b; --c2: #1f8a5b; --c3: #9a5bd0;
  --c4: #b8860b; --c5: #0e8a9b; --c6: #c2386b; --c7: #6b7280 }
@media (prefers-color-scheme: dark) { :root {
  --page: #14171c; --ink: #e6e8ec; --soft: #98a1ae; --line: #2b3038; --wash: #1b1f26;
  --c0: #6ea0ff; --c1: #ff9460; --c2: #52c792; --c3: #c39bf0;
  --c4: #e0b84a; --c5: #4cc4d6; --c6: #f07fa8; --c7: #a0a7b4 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 62rem; padding: 2.5rem 1.25rem 4rem; background: var(--page);
  color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.25; letter-spacing: -.01em }
header p { margin: .35rem 0 0; color: var(--soft) }
section { margin-top: 2.5rem }
h2 { margin: 0 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--line); font-size: 1.1rem }
p { margin: 0 0 .75rem; max-width: 44rem; white-space: pre-line }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { padding: .35rem 1.5rem .35rem 0; text-align: left; vertical-align: top }
th, td { border-bottom: 1px solid var(--line) }
th { color: var(--soft); font-weight: 500; white-space: nowrap }
.number { text-align: right }
.pictures { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)) }
.large { grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)) }
figure { margin: 0 }
figure img { display: block; width: 100%; height: auto; border-radius: 4px; background: var(--wash) }
figcaption { margin-top: .3rem; font-size: .85rem; color: var(--soft); overflow-wrap: anywhere }
svg { display: block; width: 100%; min-width: 34rem; height: auto; font-size: 12px; fill: var(--ink) }
svg .tick, svg .value { fill: var(--soft); font-variant-numeric: tabular-nums }
svg .grid { stroke: var(--line) } svg .frame { fill: var(--wash); stroke: var(--line) }
svg polyline { fill: none; stroke-width: 2; stroke-linejoin: round }
""" + "".join(
    f"svg .s{i} {{ fill: var(--c{i}) }} svg .l{i} {{ stroke: var(--c{i}) }}\n" for i in range(charts.COLORS)
)


class Report:
    """A page that grows section by section, in the order of the calls.

    Args:
        title: the page's headline.
        subtitle: one line under it: what ran, on what, when.
    """

    def __init__(self, title: str, subtitle: str = "") -> None:
        self._title = title
        self._subtitle = subtitle
        self._sections: list[str] = []

    def text(self, title: str, text: str) -> None:
        """Add a paragraph; line breaks are kept."""
        self._add(title, f"<p>{escape(text)}</p>")

    def table(self, title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Add a table; numbers are aligned right, floats have two decimals, None is an empty cell."""
        lines = [list(row) for row in rows]
        right = [
            all(isinstance(row[i], (int, float, type(None))) for row in lines) for i in range(len(header))
        ]

        def line(tag: str, cells: Iterable[object]) -> str:
            marks = (' class="number"' if number else "" for number in right)
            return "".join(f"<{tag}{mark}>{_cell(cell)}</{tag}>" for cell, mark in zip(cells, marks))

        head = f"<thead><tr>{line('th', header)}</tr></thead>"
        body = "".join(f"<tr>{line('td', row)}</tr>" for row in lines)
        self._add(title, f'<div class="wide"><table>{head}<tbody>{body}</tbody></table></div>')

    def pictures(
        self, title: str, pictures: Iterable[tuple[str, NDArray[np.uint8]]], *, large: bool = False
    ) -> None:
        """Add a grid of (caption, (H, W, 3) uint8 BGR picture), of two in a row if they are large."""
        figures = "".join(_figure(escape(caption), _jpeg(picture)) for caption, picture in pictures)
        self._add(title, f'<div class="pictures{" large" if large else ""}">{figures}</div>')

    def bars(self, title: str, values: Mapping[str, float], *, unit: str = "") -> None:
        """Add horizontal bars, one per name, in the order given."""
        self._chart(title, charts.bars(values, unit=unit))

    def stacked(self, title: str, rows: Mapping[str, Mapping[str, float]], *, unit: str = "") -> None:
        """Add horizontal bars of coloured parts, one bar per name, in the order given."""
        self._chart(title, charts.stacked(rows, unit=unit))

    def curve(
        self, title: str, lines: Mapping[str, charts.Points], *, x_label: str = "", y_label: str = ""
    ) -> None:
        """Add a line chart of name → [(x, y), …], x ascending."""
        self._chart(title, charts.curve(lines, x_label=x_label, y_label=y_label))

    def timeline(
        self, title: str, rows: Mapping[str, charts.Spans], *, end: float, x_label: str = "seconds"
    ) -> None:
        """Add one row per name, with a mark over each span [(from, to), …] in which it was seen."""
        self._chart(title, charts.timeline(rows, end=end, x_label=x_label))

    def reliability(self, title: str, bins: Sequence[tuple[float, float, float]]) -> None:
        """Add a reliability diagram of (mean confidence, accuracy, share) per bin, all in 0…1."""
        self._chart(title, charts.reliability(bins))

    def matrix(
        self,
        title: str,
        labels: Sequence[str],
        values: Sequence[Sequence[float]] | NDArray[np.generic],
        *,
        rows: str = "true class",
        columns: str = "predicted class",
    ) -> None:
        """Add a (K, K) heat map such as a confusion matrix, shaded by each row's shares."""
        numbers = np.asarray(values, dtype=float).tolist()
        self._chart(title, charts.matrix(labels, numbers, rows=rows, columns=columns))

    def html(self) -> str:
        """The whole page."""
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self._title)}</title><style>{STYLE}</style></head><body>"
            f"<header><h1>{escape(self._title)}</h1><p>{escape(self._subtitle)}</p></header>"
            f"<main>{''.join(self._sections)}</main></body></html>\n"
        )

    def save(self, path: str | Path) -> Path:
        """Write the page and return its path."""
        target = Path(path)
        with replacing(target) as page:
            page.write_text(self.html(), encoding="utf-8", errors="replace")  # file names need not be UTF-8
        return target

    def _chart(self, title: str, svg: str) -> None:
        self._add(title, f'<div class="wide">{svg}</div>')

    def _add(self, title: str, body: str) -> None:
        self._sections.append(f"<section><h2>{escape(title)}</h2>{body}</section>")


def shown(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture no wider than the page shows it, to save memory until the page is written."""
    height, width = picture.shape[:2]
    if width <= PICTURE_WIDTH:
        return picture
    size = (PICTURE_WIDTH, max(1, round(height * PICTURE_WIDTH / width)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _figure(caption: str, source: str) -> str:
    return f'<figure><img alt="{caption}" src="{source}"><figcaption>{caption}</figcaption></figure>'


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else escape(str(value))


def _jpeg(picture: NDArray[np.uint8]) -> str:
    _, data = cv2.imencode(".jpg", shown(picture), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
