"""Small SVG charts for the report: no script, colours from the page's style sheet.

Every function returns one ``<svg>`` as text. Sizes are in CSS pixels at full width;
the page lets a chart scroll sideways on a narrow screen rather than shrink its text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

WIDTH = 720
COLORS = 8  # .s0 … .s7 in the page's style sheet
_CHAR = 6.6  # mean width of a character at 12 px

Points = Sequence[tuple[float, float]]
Spans = Sequence[tuple[float, float]]


def bars(values: Mapping[str, float], *, unit: str = "") -> str:
    """Horizontal bars, in the order given, each with its value at the end.

    Args:
        values: name → finite value, 0 or more.
        unit: written behind the axis' numbers.
    """
    left, right, row = _label_room(values), 64, 24
    top = max(values.values(), default=0.0) or 1.0
    ticks = _ticks(0.0, top)
    scale = (WIDTH - left - right) / max(ticks[-1][0], top)
    height = row * len(values)
    parts = _vertical_grid([(left + t * scale, name) for t, name in ticks], height)
    for index, (name, value) in enumerate(values.items()):
        y, length = index * row, max(value * scale, 0.0)
        parts.append(_text(left - 8, y + 16, name, anchor="end"))
        parts.append(f'<rect class="s0" x="{left}" y="{y + 5}" width="{length:.1f}" height="14" rx="2"/>')
        parts.append(_text(left + length + 6, y + 16, _number(value), css="value"))
    parts.append(_text(left + (WIDTH - left - right) / 2, height + 34, unit, anchor="middle"))
    summary = ", ".join(f"{name} {_number(value)} {unit}".strip() for name, value in values.items())
    return _svg(parts, height + 40, f"Bars: {summary}")


def stacked(rows: Mapping[str, Mapping[str, float]], *, unit: str = "") -> str:
    """Horizontal bars of coloured parts with a legend above them, each with its sum at the end.

    Args:
        rows: name of the bar → name of the part → finite value, 0 or more.
        unit: written behind the axis' numbers.
    """
    parts = list(dict.fromkeys(part for row in rows.values() for part in row))
    drawn, top = _legend(parts)
    left, right, tall = _label_room(rows), 64, 24
    most = max((sum(row.values()) for row in rows.values()), default=0.0) or 1.0
    ticks = _ticks(0.0, most)
    scale = (WIDTH - left - right) / max(ticks[-1][0], most)
    height = top + tall * len(rows)
    drawn += _vertical_grid([(left + t * scale, name) for t, name in ticks], height, top=top)
    for index, (name, row) in enumerate(rows.items()):
        x, y = float(left), top + index * tall
        drawn.append(_text(left - 8, y + 16, name, anchor="end"))
        for part in parts:
            value = row.get(part, 0.0)
            length = max(value * scale, 0.0)
            hint = escape(f"{name}, {part}: {_number(value)} {unit}".strip())
            drawn.append(
                f'<rect class="s{parts.index(part) % COLORS}" x="{x:.1f}" y="{y + 5:.1f}" '
                f'width="{length:.1f}" height="14"><title>{hint}</title></rect>'
            )
            x += length
        drawn.append(_text(x + 6, y + 16, _number(sum(row.values())), css="value"))
    drawn.append(_text(left + (WIDTH - left - right) / 2, height + 34, unit, anchor="middle"))
    sums = ", ".join(f"{name} {_number(sum(row.values()))} {unit}".strip() for name, row in rows.items())
    return _svg(drawn, height + 40, f"Stacked bars: {sums}")


def timeline(rows: Mapping[str, Spans], *, end: float, x_label: str) -> str:
    """One row per name, with a mark over every span in which it was seen.

    Args:
        rows: name → [(from, to), …] on the x axis, 0…end.
        end: where the axis ends.
        x_label: what the axis is, with its unit.
    """
    left, right, row = _label_room(rows), 24, 22
    ticks = _ticks(0.0, end or 1.0)
    scale = (WIDTH - left - right) / max(end, ticks[-1][0])
    height = row * len(rows)
    parts = _vertical_grid([(left + t * scale, name) for t, name in ticks], height)
    for index, (name, spans) in enumerate(rows.items()):
        y = index * row
        parts.append(_text(left - 8, y + 15, name, anchor="end"))
        for begin, stop in spans:
            width = max((stop - begin) * scale, 2.5)  # a single frame must be visible
            parts.append(
                f'<rect class="s{index % COLORS}" x="{left + begin * scale:.1f}" y="{y + 4}" '
                f'width="{width:.1f}" height="14" rx="2"/>'
            )
    parts.append(_text(left + (WIDTH - left - right) / 2, height + 34, x_label, anchor="middle"))
    return _svg(parts, height + 40, f"Timeline of {', '.join(rows)}")


def curve(lines: Mapping[str, Points], *, x_label: str = "", y_label: str = "") -> str:
    """Line chart with a legend above it.

    Args:
        lines: name → [(x, y), …] with finite numbers, x ascending.
        x_label: what the x axis is, with its unit.
        y_label: the same for y.
    """
    xs = [x for points in lines.values() for x, _ in points] or [0.0, 1.0]
    ys = [y for points in lines.values() for _, y in points] or [0.0, 1.0]
    x_ticks, y_ticks = _ticks(min(xs), max(xs)), _ticks(min(ys), max(ys))
    x0, x1 = min(x_ticks[0][0], min(xs)), max(x_ticks[-1][0], max(xs))
    y0, y1 = min(y_ticks[0][0], min(ys)), max(y_ticks[-1][0], max(ys))
    names, top = _legend(list(lines))
    left, right, height = 64, 24, 220

    def at(x: float, y: float) -> tuple[float, float]:
        across = left + (x - x0) / (x1 - x0) * (WIDTH - left - right)
        return across, top + height - (y - y0) / (y1 - y0) * height

    parts = names
    for tick, name in y_ticks:
        _, y = at(x0, tick)
        parts.append(f'<line class="grid" x1="{left}" x2="{WIDTH - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(left - 8, y + 4, name, anchor="end", css="tick"))
    for tick, name in x_ticks:
        x, _ = at(tick, y0)
        parts.append(_text(x, top + height + 18, name, anchor="middle", css="tick"))
    for index, points in enumerate(lines.values()):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in points))
        parts.append(f'<polyline class="l{index % COLORS}" points="{path}"/>')
    middle = top + height / 2
    parts.append(_text((left + WIDTH - right) / 2, top + height + 38, x_label, anchor="middle"))
    parts.append(f'<g transform="rotate(-90 14 {middle})">{_text(14, middle, y_label, anchor="middle")}</g>')
    return _svg(parts, top + height + 44, f"Lines: {', '.join(lines)}; {y_label} over {x_label}")


def reliability(bins: Sequence[tuple[float, float, float]]) -> str:
    """Reliability diagram: accuracy over confidence against the diagonal of a calibrated model.

    Below it is the share of all answers in each bin, because the accuracy of few answers means little.

    Args:
        bins: (mean confidence, accuracy, share of all answers) in 0…1, by confidence and of equal width; the
            first two are ignored where the share is 0.
    """
    left, size, gap, low = 64, 300, 14, 60
    slot = size / max(len(bins), 1)
    parts = []
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        y = size - tick * size
        parts.append(f'<line class="grid" x1="{left}" x2="{left + size}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(left - 8, y + (10 if tick == 1 else 4), _number(tick), anchor="end", css="tick"))
        middle = left + tick * size
        parts.append(_text(middle, size + gap + low + 16, _number(tick), anchor="middle", css="tick"))
    most = max((share for *_, share in bins), default=0.0) or 1.0
    for index, (confidence, accuracy, share) in enumerate(bins):
        if not share:
            continue
        x, width = left + index * slot + 1, slot - 2
        hint = escape(f"confidence {confidence:.3f}, accuracy {accuracy:.3f}, {share:.1%} of all answers")
        look = ' opacity="0.35"' if share < 0.001 else ""  # too few answers to be reliable
        for css, y, tall in (
            ("s0", size - accuracy * size, accuracy * size),
            ("s7", size + gap + low - share / most * low, share / most * low),
        ):
            parts.append(
                f'<rect class="{css}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{tall:.1f}"{look}>'
                f"<title>{hint}</title></rect>"
            )
    parts.append(f'<polyline class="l1" points="{left},{size} {left + size},0"/>')
    for middle, label in ((size / 2, "accuracy"), (size + gap + low / 2, "share")):
        parts.append(
            f'<g transform="rotate(-90 14 {middle})">{_text(14, middle, label, anchor="middle")}</g>'
        )
    bottom = size + gap + low
    parts.append(_text(left - 8, size + gap + 10, f"{most:.0%}", anchor="end", css="tick"))
    parts.append(_text(left + size / 2, bottom + 36, "confidence", anchor="middle"))
    return _svg(parts, bottom + 42, f"Reliability diagram of {len(bins)} bins", width=left + size + 24)


def matrix(labels: Sequence[str], values: Sequence[Sequence[float]], *, rows: str, columns: str) -> str:
    """Heat map, each row shaded by its share of the row's sum; made for confusion matrices.

    Args:
        labels: K names, for rows and columns alike.
        values: K rows of K numbers, 0 or more.
        rows: what a row is, such as ``"true class"``.
        columns: what a column is, such as ``"predicted class"``.
    """
    left, count = _label_room([*labels, rows]), len(labels)
    cell = max(min((WIDTH - left - 8) / max(count, 1), 44.0), 9.0)
    size, head = cell * count, _label_room(labels)
    font = min(12.0, cell - 1)
    parts = [
        _text(left + size / 2, 12, columns, anchor="middle"),
        _text(left - 8, head + 10, rows, anchor="end"),
    ]
    top = head + 18
    for index, label in enumerate(labels):
        middle = (index + 0.5) * cell
        parts.append(_text(left - 8, top + middle + font / 3, label, anchor="end", size=font))
        turned = _text(left + middle + font / 3, top - 6, label, size=font)
        parts.append(f'<g transform="rotate(-90 {left + middle + font / 3:.1f} {top - 6})">{turned}</g>')
    parts.append(f'<rect class="frame" x="{left}" y="{top}" width="{size:.1f}" height="{size:.1f}"/>')
    for i, line in enumerate(values):
        total = float(sum(line)) or 1.0
        for j, value in enumerate(line):
            if not value:
                continue
            x, y, share = left + j * cell, top + i * cell, float(value) / total
            hint = escape(f"{labels[i]} → {labels[j]}: {_number(value)} ({share:.1%})")
            css = "s2" if i == j else "s1"  # right and wrong have different colours
            parts.append(
                f'<rect class="{css}" x="{x:.1f}" y="{y:.1f}" width="{cell:.1f}" height="{cell:.1f}" '
                f'opacity="{0.15 + 0.85 * share:.2f}"><title>{hint}</title></rect>'
            )
            if cell >= 30:
                parts.append(_text(x + cell / 2, y + cell / 2 + 4, _number(value), anchor="middle", size=10))
    return _svg(
        parts, top + size + 8, f"Matrix of {rows} by {columns}, {count} classes", width=left + size + 8
    )


def _svg(parts: Iterable[str], height: float, summary: str, *, width: float = WIDTH) -> str:
    body = "".join(parts)
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" style="max-width:{width:.0f}px; '
        f'min-width:min(34rem, {width:.0f}px)" role="img" '
        f'aria-label="{escape(summary)}">{body}</svg>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", css: str = "", size: float = 12) -> str:
    if not text:
        return ""
    look = f' class="{css}"' if css else ""
    scale = f' font-size="{size:.1f}"' if size != 12 else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{look}{scale}>{escape(text)}</text>'


def _vertical_grid(ticks: Iterable[tuple[float, str]], height: float, *, top: float = 0) -> list[str]:
    parts = []
    for x, label in ticks:
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{height}"/>')
        parts.append(_text(x, height + 16, label, anchor="middle", css="tick"))
    return parts


def _legend(names: Sequence[str]) -> tuple[list[str], float]:
    """The names with their colours, wrapped to the chart's width, and the height that they take."""
    parts, x, y = [], 64.0, 12.0
    for index, name in enumerate(names):
        width = 26 + len(name) * _CHAR
        if x + width > WIDTH and x > 64:
            x, y = 64.0, y + 18
        parts.append(
            f'<rect class="s{index % COLORS}" x="{x:.1f}" y="{y - 9}" width="12" height="10" rx="2"/>'
        )
        parts.append(_text(x + 17, y, name))
        x += width
    return parts, y + 16


def _label_room(names: Iterable[str]) -> int:
    return int(min(max((len(name) for name in names), default=0) * _CHAR + 16, 260))


def _ticks(low: float, high: float, count: int = 5) -> list[tuple[float, str]]:
    """About ``count`` round numbers that span low…high, or 0 and both if they are equal, and their texts."""
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0) or float(low == 0.0)
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step - 1e-9)
    decimals = len(f"{step:.12f}".rstrip("0").partition(".")[2])
    return [(step * i, f"{step * i:,.{decimals}f}") for i in range(first, last + 1)]


def _number(value: float) -> str:
    """Short and without noise: 0.25, 12.5, 1,204."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
