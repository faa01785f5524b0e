"""What attacks leave of a model: terminal, page, and one picture."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame
from perception.report.page import Report
from training.attack.measured import NET, PGD, STRONGEST, Attacked, Example

TILE = 112  # px of a crop that is shown
NOISE = 8  # times the noise is shown larger, around grey
ROWS = 4  # of examples in the picture, two in each
FONT = 0.42  # scale of captions in it
STICKER_PX = 512  # of the sticker in its file
WHY_TWO = (
    "FGSM takes one step, PGD many; both raise the loss of training, of which a sure net has hardly a "
    "gradient. The strongest attack goes on with what these leave: it raises the margin of the best other "
    "class, from several starts, and keeps whatever misleads the net at a smaller radius. A defence that "
    "only blunts gradients does well under the first two and badly under the third. Model files are not "
    "attacked themselves: they get what misleads the net (transfer)."
)


def rows(attacked: Attacked, target: str) -> list[list[str | float]]:
    """Accuracy in percent by attack; the columns are radii."""
    table = attacked.accuracy[target]
    return [[attack, *(100 * value for value in values)] for attack, values in table.items()]


def header(attacked: Attacked, target: str) -> list[str]:
    """Of the table of one target."""
    return [f"{target}: accuracy, %", *(f"{radius:g}/255" for radius in attacked.radii)]


def patch_rows(attacked: Attacked) -> tuple[list[str], list[list[str | float]]]:
    """Accuracy in percent with patches: header and rows."""
    targets = list(attacked.accuracy)
    lines: list[list[str | float]] = [
        [one.name, *(100 * one.accuracy[target] for target in targets)] for one in attacked.patches
    ]
    return ["accuracy with, %", *targets], lines


def in_words(attacked: Attacked) -> Iterator[str]:
    """What a reader must know first."""
    for radius, weak, strong in zip(
        attacked.radii, attacked.accuracy[NET][PGD], attacked.accuracy[NET][STRONGEST]
    ):
        if radius and weak - strong >= 0.01:
            yield (
                f"Radius {radius:g}/255: PGD leaves {100 * weak:.1f} %, the strongest attack "
                f"{100 * strong:.1f} %; the second is what counts"
            )
    if attacked.crops < attacked.wanted:
        yield f"Interrupted after {attacked.crops} of {attacked.wanted} crops"
    yield from attacked.remarks


def page(attacked: Attacked, patches: Mapping[str, Frame], shown: Mapping[str, Sequence[Frame]]) -> Report:
    """Curves and tables, then pictures."""
    report = Report(
        f"{attacked.settings['model']} under attack", f"{attacked.crops} crops of {attacked.settings['data']}"
    )
    if words := list(in_words(attacked)):
        report.text("In short", "\n".join(words))
    for target, attacks in attacked.accuracy.items():
        lines = {
            attack: [(radius, 100 * value) for radius, value in zip(attacked.radii, values)]
            for attack, values in attacks.items()
        }
        report.curve(
            f"{target}: accuracy by the radius of the noise", lines, x_label="radius, of 255", y_label="%"
        )
        report.table(f"{target}, in numbers", header(attacked, target), rows(attacked, target))
    report.text("What the attacks are", WHY_TWO)
    report.pictures(
        f"Misled by the smallest noise: clean, the noise {NOISE} times, attacked",
        [(caption(one), triple(one)) for one in attacked.examples],
    )
    if attacked.patches:
        report.table("Patches", *patch_rows(attacked))
        report.pictures("The patches", [(name, enlarged(patch)) for name, patch in patches.items()])
        for name, crops in shown.items():
            report.pictures(f"Crops with the {name}", [("", enlarged(crop)) for crop in crops])
    settings = [[name.replace("_", " "), str(value)] for name, value in attacked.settings.items()]
    report.table("Settings", ["", "value"], settings)
    return report


def caption(example: Example) -> str:
    """What it is, and what it was taken for."""
    return f"{example.wanted} taken for {example.given}, radius {example.radius:g}/255"


def triple(example: Example) -> Frame:
    """Clean, the noise around grey, attacked."""
    difference = example.attacked.astype(np.int16) - example.clean
    noise = np.clip(128 + NOISE * difference, 0, 255).astype(np.uint8)
    return np.hstack([enlarged(one) for one in (example.clean, noise, example.attacked)])


def enlarged(frame: NDArray[np.uint8]) -> Frame:
    """A crop or patch whose pixels can be seen."""
    return np.asarray(cv2.resize(frame, (TILE, TILE), interpolation=cv2.INTER_NEAREST), np.uint8)


def sheet(attacked: Attacked, shown: Mapping[str, Sequence[Frame]]) -> Frame:
    """Examples and crops with patches in one picture, with what the net takes them for."""
    lines = []
    for start in range(0, min(len(attacked.examples), 2 * ROWS), 2):
        pair = attacked.examples[start : start + 2]
        tiles = [_captioned(triple(one), caption(one)) for one in pair]
        tiles += [np.full_like(tiles[0], 255)] * (2 - len(tiles))
        lines.append(np.hstack(tiles))
    for name, crops in shown.items():
        strip = np.hstack([enlarged(crop) for crop in crops[:6]])
        whole = np.full((TILE, 6 * TILE, 3), 255, np.uint8)
        whole[:, : strip.shape[1]] = strip
        lines.append(_captioned(whole, f"with the {name}"))
    return np.vstack(lines) if lines else np.full((TILE, 6 * TILE, 3), 255, np.uint8)


def _captioned(frame: Frame, text: str) -> Frame:
    plate = np.full((22, frame.shape[1], 3), 255, np.uint8)
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, FONT, 1)
    scale = FONT * min(1.0, (frame.shape[1] - 8) / width)
    cv2.putText(plate, text, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, scale, (30, 30, 30), 1, cv2.LINE_AA)
    return np.vstack([plate, frame])


def sticker_svg(patch: Frame, size_mm: float) -> str:
    """A page that prints the sticker at its true size."""
    large = cv2.resize(patch, (STICKER_PX, STICKER_PX), interpolation=cv2.INTER_CUBIC)
    _, data = cv2.imencode(".png", large)
    source = "data:image/png;base64," + base64.b64encode(data.tobytes()).decode("ascii")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size_mm:.1f}mm" height="{size_mm:.1f}mm" '
        f'viewBox="0 0 1 1"><image width="1" height="1" href="{source}"/></svg>\n'
    )
