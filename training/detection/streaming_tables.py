"""Streaming measures as tables for the terminal and for reports."""

from __future__ import annotations

from collections.abc import Sequence

from training.detection.streaming import CONDITIONS, Streaming

SHARES_HEADER = (
    "frames and signs",
    "pairs",
    "right, alone",
    "right, tracked",
    "wrong, alone",
    "wrong, tracked",
)
FIGURES_HEADER = ("", "alone", "tracked")


def shares(measured: Streaming) -> list[tuple[str, ...]]:
    """In which share of the frames the class of a true sign is said, by condition; conditions can meet."""
    rows = []
    for name, text in CONDITIONS.items():
        share = measured.shares[name]
        values = (share.single, share.tracked, share.wrong_single, share.wrong_tracked)
        rows.append((text, str(share.pairs), *(f"{value:.1%}" if share.pairs else "" for value in values)))
    return rows


def figures(measured: Streaming) -> list[tuple[str, ...]]:
    """Everything else, for single frames and for tracks."""
    confirm = "" if measured.confirm_s is None else f"{measured.confirm_s:.2f} s"
    update = "" if measured.update_ms is None else f"{measured.update_ms:.2f} ms"
    return [
        (
            "changes of what is said about a sign",
            f"{measured.flicker_single:.2f}/s",
            f"{measured.flicker_tracked:.2f}/s",
        ),
        ("known signs where none is", f"{measured.false_single:.1f}/min", f"{measured.false_tracks:.1f}/min"),
        ("signs confirmed with their class", "", f"{measured.confirmed:.1%}"),
        ("signs confirmed as another class for some time", "", f"{measured.confirmed_wrong:.1%}"),
        ("changes of a sign's track", "", str(measured.switches)),
        ("median time from first read right to confirmed", "", confirm),
        ("median time of an update", "", update),
    ]


def extent(measured: Streaming) -> str:
    """How much was measured, in words."""
    frames = f"{measured.frames} frames in {measured.seconds:.0f} s"
    return f"{measured.drives} drives, {frames}, {measured.signs} signs"


def as_details(measured: Streaming) -> dict[str, Sequence[Sequence[str]]]:
    """Both tables by name, as an evaluation's details have them."""
    return {
        "streaming shares": [SHARES_HEADER, *shares(measured)],
        "streaming": [FIGURES_HEADER, *figures(measured)],
    }
