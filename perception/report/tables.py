"""Tables for the terminal, shared by the commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table

from perception.spec import ModelSpec

_HEAD = "bold"


def stages(percentiles: Mapping[str, tuple[float, ...]]) -> Table:
    """Milliseconds by stage: p50, p95, p99."""
    return numbers(
        ("stage", "p50 ms", "p95 ms", "p99 ms"), ((stage, *ms) for stage, ms in percentiles.items())
    )


def numbers(header: Sequence[str], rows: Iterable[Sequence[str | float | None]]) -> Table:
    """A name and numbers per row; None is an empty cell. Where space is short, names wrap."""
    table = Table(header_style=_HEAD)
    for index, name in enumerate(header):
        table.add_column(name, justify="right" if index else "left", no_wrap=index > 0)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def spec(spec: ModelSpec, *, title: str) -> Table:
    """Everything a model says about itself, with its colours."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style=_HEAD)
    table.add_column(overflow="fold")
    height, width = spec.input_hw
    table.add_row("task", spec.task)
    size = f"{width}×{height} {spec.color}"
    if spec.stride:
        size = f"{spec.color} of any size, padded to multiples of {spec.stride}; measured at {width}×{height}"
    table.add_row("input", size)
    if spec.enlarge_to:
        table.add_row("enlarge to", f"{spec.enlarge_to} pixels")
    swatches = (
        f"[rgb({r},{g},{b})]█[/] {index} {_plain(label)}"
        for index, (label, (r, g, b)) in enumerate(zip(spec.labels, spec.palette))
    )
    table.add_row(f"{len(spec.labels)} labels", "\n".join(swatches))
    if spec.box_margin:
        table.add_row("box margin", _value(spec.box_margin))
    for name in ("thresholds", "calibration", "metrics", "source"):
        values: Mapping[str, object] = getattr(spec, name)
        if values:
            table.add_row(name, "\n".join(f"{key}: {_value(value)}" for key, value in values.items()))
    if spec.trained_on:
        table.add_row("trained on", _plain(spec.trained_on))
    table.add_row("spec version", str(spec.version))
    return table


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{int(value)}" if value.is_integer() else f"{value:.4f}"
    return _plain(str(value))


def _plain(text: str) -> str:
    return text.replace("[", r"\[")  # so that rich does not read it as markup


def _cell(value: str | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else _plain(str(value))
