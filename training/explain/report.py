"""Explanations and shortcuts as pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perception.frames import Frame
from perception.report.page import Report
from training.explain import draw
from training.explain.explanation import Explanation, mean_alike
from training.explain.shortcuts import ClassFindings

TITLES = {
    "occlusion": "Occlusion",
    "gradcam": "Grad-CAM",
    "lime": "LIME",
    "guided_backprop": "Guided backpropagation",
    "deconvolution": "Deconvolution",
}
READING = (
    "Red speaks for the answer, blue against it; the strongest evidence of each picture has the full colour. "
    "Occlusion and LIME cover patches and see how the score falls. Grad-CAM weighs the last features that "
    "still have a place; it shows only what speaks for the answer. Guided backpropagation and deconvolution "
    "show pixels that matter, red either way."
)
SAME = 0.3  # rank correlation from which on two maps are too much alike
BARS = 12  # classes


def page(model: str, explanations: Sequence[Explanation], remarks: Sequence[str]) -> Report:
    """What each method says about each answer."""
    count = len(explanations)
    report = Report(f"Why {model} says so", f"{count} answer{'' if count == 1 else 's'}")
    report.text("How to read this", "\n".join((READING, *remarks)))
    if likeness := mean_alike(explanations):
        report.table("Does a method see what was learnt?", HEADER, likeness_rows(likeness))
        report.text("Columns", LEGEND)
    for one in explanations:
        report.pictures(f"{one.path.name}: {one.answer}, score {one.score:.2f}", tiles(one))
    return report


HEADER = ("method", "alike", "")
LEGEND = "alike: rank correlation with the same of a net with random weights, 1 if both show the same."


def likeness_rows(likeness: Mapping[str, float]) -> list[list[str | float]]:
    """How alike the maps of a trained net and of one with random weights are, and what follows."""
    return [
        [TITLES[name], value, "shows the picture as well" if value >= SAME else "shows what was learnt"]
        for name, value in likeness.items()
    ]


def tiles(one: Explanation) -> list[tuple[str, Frame]]:
    """The picture, and the evidence by all methods, with random weights below."""
    drawn = [("what the net sees", draw.picture(one.frame, one.inside))]
    for name, heat in one.heats.items():
        drawn.append((TITLES[name], draw.evidence(one.frame, heat, one.inside)))
        if name in one.random:
            caption = f"{TITLES[name]}, random weights: {one.alike[name]:.2f} alike"
            drawn.append((caption, draw.evidence(one.frame, one.random[name], one.inside)))
    return drawn


def shortcuts_page(
    model: str, classes: Sequence[ClassFindings], worst: Sequence[Explanation], remarks: Sequence[str]
) -> Report:
    """Classes ranked by the evidence outside their things, and the worst thing of the first ones."""
    things = sum(one.things for one in classes)
    report = Report(f"Shortcuts of {model}", f"{things} things of {len(classes)} classes")
    report.text("How to read this", "\n".join((SHORTCUTS, *remarks)))
    report.bars(
        "Evidence outside the thing, by class",
        {one.label: 100 * one.share for one in classes[:BARS]},
        unit=" %",
    )
    drawn = []
    for number, one in enumerate(worst, start=1):
        (heat,) = one.heats.values()
        drawn += [
            (f"{number}. {one.answer}: {one.path.name}", draw.picture(one.frame, one.inside)),
            (f"{number}. its evidence", draw.evidence(one.frame, heat, one.inside)),
        ]
    report.pictures("The worst thing of each of the first classes", drawn)
    report.table("All classes", SHORTCUT_HEADER, shortcut_rows(classes))
    report.text("Columns", SHORTCUT_LEGEND)
    return report


SHORTCUTS = (
    "Of what speaks for a thing's class (red), how much is outside the line around the thing? A net that has "
    "learnt the thing has less of it there than there is area."
)
SHORTCUT_HEADER = ("class", "things", "evidence %", "area %", "suffices %")
SHORTCUT_LEGEND = (
    "evidence: share that is outside the thing. area: share of the picture that is. suffices: share of the "
    "things to which the net gives the same answer if their surroundings grow over them."
)


def shortcut_rows(classes: Sequence[ClassFindings]) -> list[list[str | int | float]]:
    """One row for each class."""
    return [[one.label, one.things, 100 * one.share, 100 * one.area, 100 * one.blind] for one in classes]
