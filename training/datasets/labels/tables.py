"""Tables of colours: which colour of a label image is which class."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from perception.spec import Color
from training.datasets.images import DataError
from training.datasets.text import plain, read_json, read_text

# Names of tables that exports have: CVAT's and Pascal VOC's, CamVid's, Kaggle's, Roboflow's, the project's.
NAMES = ("labelmap.txt", "label_colors.txt", "class_dict.csv", "_classes.csv", "classes.json")
VOC = re.compile(r"(?P<name>[^:]+):(?P<color>[^:]*)(:[^:]*){0,2}")
EXPECTED = (
    "expected a line NAME:R,G,B:: (labelmap.txt), R G B NAME (label_colors.txt), NAME,R,G,B or VALUE, NAME "
    'for each class, or [{"name": …, "color": [R, G, B]}, …]'
)
Table = dict[str, Color]


def find(folder: Path) -> Path | None:
    """The table in a folder; None if there is none."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def read(path: Path) -> Table:
    """Colours (R, G, B) by the names of their classes, in the order of the file.

    Raises:
        DataError: the file has none of the forms, or one colour is of two classes.
    """
    table = _of_json(path) if path.suffix.lower() == ".json" else _of_lines(path)
    if not table:
        raise DataError(f"{path} lists no class; {EXPECTED}")
    for name, color in table.items():
        other = next(one for one, its in table.items() if its == color)
        if other != name:
            raise DataError(f"{path}: {other} and {name} have the same colour {list(color)}; change one")
    return table


def _of_json(path: Path) -> Table:
    try:
        content: Any = read_json(path)
        return {plain(str(one["name"])): _color(one["color"]) for one in content}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: {error!r}; {EXPECTED}") from error


def _of_lines(path: Path) -> Table:
    table: Table = {}
    without: list[str] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            entry = _entry(line.strip())
        except ValueError as error:
            if number == 1:  # a heading
                continue
            raise DataError(f"{path}, line {number}: {error}; {EXPECTED}") from error
        if entry is None:
            without.append(plain(line.partition(":")[0].strip()))
        else:
            table[plain(entry[0])] = entry[1]
    if without and not table:  # then the colours are those of Pascal VOC itself
        return {name: voc_color(number) for number, name in enumerate(without)}
    return table


def voc_color(number: int) -> Color:
    """The colour that Pascal VOC gives to a class: its bits in turn, the lowest three first."""
    red, green, blue = (
        sum((number >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(8)) for channel in range(3)
    )
    return red, green, blue


def _entry(line: str) -> tuple[str, Color] | None:
    """Name and colour of a line; None for a class that has no colour."""
    if ":" in line and (found := VOC.fullmatch(line)):
        color = found["color"].strip()
        return (found["name"].strip(), _color(color.split(","))) if color else None
    words = [word.strip() for word in (line.split(",") if "," in line else line.split(maxsplit=3))]
    if len(words) == 2 and words[0].isdigit():  # Roboflow's label images hold the class ids
        return words[1], _color([words[0]] * 3)
    if len(words) != 4:
        raise ValueError(f"{len(words)} columns")
    return (words[0], _color(words[1:])) if "," in line else (words[3], _color(words[:3]))


def _color(values: Any) -> Color:
    red, green, blue = map(int, values)
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise ValueError(f"the colour {[red, green, blue]} is not within 0 to 255")
    return red, green, blue
