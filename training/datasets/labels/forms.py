"""The forms that labels come in, and which of them a file or folder has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.datasets.images import DataError
from training.datasets.labels import boxes, coco, colors, cvat, label_studio, labelme, yolo
from training.datasets.labels.shapes import Labels
from training.datasets.labels.source import Source


@dataclass(frozen=True)
class Form:
    """One form.

    Attributes:
        name: of the form.
        claims: whether a file or folder has it.
        read: what it holds.
    """

    name: str
    claims: Callable[[Source], bool]
    read: Callable[[Source], Labels]


FORMS = (  # the surest first; folders of boxes and of label images have files of other forms beside them
    Form(cvat.NAME, cvat.claims, cvat.read),
    Form(label_studio.NAME, label_studio.claims, label_studio.read),
    Form(coco.NAME, coco.claims, coco.read),
    Form(labelme.NAME, labelme.claims, labelme.read),
    Form(yolo.NAME, yolo.claims, yolo.read),
    Form(colors.NAME, colors.claims, colors.read),
    Form(boxes.NAME, boxes.claims, boxes.read),
)


def read(source: Source, table: Path | None = None) -> Labels:
    """Read labels in whichever form they have.

    Args:
        source: the file or folder.
        table: of colours; then they are label images in colours.

    Raises:
        DataError: they have none of the forms, or cannot be used.
    """
    if table is not None:
        if not colors.claims(source):
            raise DataError(f"{source.path} has no label images that a table of colours could be for")
        return colors.read(source, table)
    form = next((form for form in FORMS if form.claims(source)), None)
    if form is None:
        names = ", ".join(form.name for form in FORMS)
        raise DataError(
            f"{source.path} has labels in none of the forms that are read ({names}); docs/labels.md says "
            "what each consists of"
        )
    return form.read(source)
