r"""Four printed signs that the shipped model does not know: from a drive to a model that knows them.

    python -m scripts.new_signs drives OUT
    python -m training extract OUT/learn --out OUT/frames --count 200 --model models/signs.onnx
    python -m scripts.new_signs sort OUT
    python -m training fit --config training/configs/finetune_signs.yaml --data.root OUT/sorted \
        --data.background OUT/none
    python -m scripts.new_signs score OUT models/signs.onnx RUN/version_0/checkpoints/signs.onnx

The signs are drawn, printed and put into drawn rooms, which a camera drives
through. Prints and rooms of the drives that test are others. "sort" stands for the person who drags the crops
into folders: by the true boxes, each goes to its sign, or to none/.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import perception
from perception.boxes import Box, overlaps
from perception.frames import Frame
from perception.paths import shared
from perception.signs import Sign
from training.detection.sequences import sequence
from training.signs import artwork, printed, scenes
from training.signs.artwork import Artwork
from training.signs.printed import Print

SIDE = 240
BLUE, YELLOW, GREEN, RED = (170, 80, 20), (40, 210, 250), (60, 120, 20), (20, 20, 200)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
ROOMS = {"learn": range(4), "test": range(100, 104)}  # seeds
ROOM_WH = (1600, 1200)
HEIGHTS = (70, 110)  # px of a sign in the room's picture
FOUND = 0.4  # overlap of a found box with the true one


def main() -> None:
    """Take one step."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.new_signs", description="From a drive to a model that knows two new signs."
    )
    parser.add_argument("step", choices=("drives", "sort", "score"))
    parser.add_argument("out", type=Path)
    parser.add_argument("models", nargs="*", type=Path)
    options = parser.parse_args()
    if options.step == "drives":
        drives(options.out)
    elif options.step == "sort":
        sort(options.out)
    else:
        for model in options.models:
            score(options.out, model)


def drives(out: Path) -> None:
    """Write the drives as folders of pictures, and what is in them."""
    draw(out / "artwork")
    signs = artwork.read(out / "artwork")
    for part, seeds in ROOMS.items():
        (out / part).mkdir(parents=True)
        truth: dict[str, dict[str, Box]] = {}
        for seed in seeds:
            picture, boxes = room(signs, np.random.default_rng(seed))
            labels = [sign.label for sign in signs]
            for number, target in enumerate(labels):
                shots = sequence(picture, boxes, labels, target=number, seed=seed)
                for index, shot in enumerate(shots):
                    name = f"{seed:03d}_{target.replace(' ', '')}_{index:03d}.png"
                    cv2.imwrite(str(out / part / name), shot.frame)
                    truth[name] = {sign.label: sign.box for sign in shot.signs if sign.visible > 0.7}
        (out / part).with_suffix(".json").write_text(json.dumps(truth, indent=1) + "\n")
        print(f"{out / part}: {len(truth)} frames, {sum(map(len, truth.values()))} signs in them")


def draw(folder: Path) -> None:
    """Two signs of shapes that streets have in the detector's training data, and two of others."""
    folder.mkdir(parents=True)
    middle, corners = (SIDE // 2, SIDE // 2), np.array([(120, 15), (230, 205), (10, 205)], np.int32)
    ring, triangle, square, disc = (np.full((SIDE, SIDE, 3), 255, np.uint8) for _ in range(4))
    cv2.circle(ring, middle, 105, RED, -1, cv2.LINE_AA)
    cv2.circle(ring, middle, 82, WHITE, -1, cv2.LINE_AA)
    letter(ring, "A", 3.6, BLACK)
    cv2.fillPoly(triangle, [corners], RED, cv2.LINE_AA)
    cv2.fillPoly(
        triangle, [((corners - (120, 142)) * 0.68 + (120, 142)).astype(np.int32)], WHITE, cv2.LINE_AA
    )
    letter(triangle, "T", 2.4, BLACK, 22)
    cv2.rectangle(square, (20, 20), (SIDE - 20, SIDE - 20), BLUE, -1)
    letter(square, "P", 6.0, WHITE)
    cv2.circle(disc, middle, 105, GREEN, -1, cv2.LINE_AA)
    cv2.circle(disc, middle, 88, YELLOW, -1, cv2.LINE_AA)
    letter(disc, "H", 4.5, GREEN)
    for name, picture in {"No entry A": ring, "Tram": triangle, "Parking": square, "Bus stop": disc}.items():
        cv2.imwrite(str(folder / f"{name}.png"), picture)


def letter(picture: Frame, text: str, scale: float, color: tuple[int, ...], down: int = 0) -> None:
    """Write into the middle."""
    thick = round(4 * scale)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    at = ((SIDE - width) // 2, (SIDE + height) // 2 + down)
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, color, thick, cv2.LINE_AA)


def room(signs: list[Artwork], rng: np.random.Generator) -> tuple[Frame, list[Box]]:
    """A drawn room with one print of each sign on a post, and where they are."""
    scene = cv2.resize(scenes.scene(rng), ROOM_WH, interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    boxes = []
    for number, sign in enumerate(signs):
        one = printed.print_out(sign, rng)
        middle = ROOM_WH[0] * (0.2 + 0.2 * number) + rng.uniform(-40, 40), ROOM_WH[1] * rng.uniform(0.4, 0.6)
        boxes.append(put(scene, one, middle, rng.uniform(*HEIGHTS), rng))
    light = np.exp(rng.normal(0, 0.1, 3) + rng.normal(0, 0.2)).astype(np.float32)
    return np.asarray(np.clip(np.rint(scene * light * 255), 0, 255), np.uint8), boxes


def put(
    scene: NDArray[np.float32], one: Print, middle: tuple[float, float], size: float, rng: np.random.Generator
) -> Box:
    """Put a print into a scene, turned a little, on a post."""
    zoom = size / float(np.ptp(one.outline, axis=0).max())
    squeeze = rng.uniform(0.75, 1.0)  # seen from the side
    height, width = one.levels[0].shape[:2]
    cv2.rectangle(
        scene,
        (round(middle[0] - 0.06 * size), round(middle[1])),
        (round(middle[0] + 0.06 * size), ROOM_WH[1]),
        rng.uniform(0.1, 0.9, 3).tolist(),
        -1,
    )
    turn = cv2.getRotationMatrix2D((0, 0), rng.normal(0, 4), zoom)
    turn[0] *= squeeze
    matrix = turn + np.array([[0, 0, middle[0]], [0, 0, middle[1]]])
    outline = one.outline @ matrix[:, :2].T + matrix[:, 2]
    matrix[:, 2] -= matrix[:, :2] @ [width / 2, height / 2]
    sheet = cv2.warpAffine(one.levels[0], matrix, ROOM_WH, flags=cv2.INTER_AREA)
    scene *= 1 - sheet[..., 3:]
    scene += sheet[..., :3]
    (x1, y1), (x2, y2) = outline.min(axis=0), outline.max(axis=0)
    return (float(x1), float(y1), float(x2), float(y2))


def sort(out: Path) -> None:
    """Copy each crop to the folder of its sign, or to none/."""
    names, truth = truths(out / "learn.json")
    read = reader(shared("models/signs.onnx"))
    counts: Counter[str] = Counter()
    for path in sorted((out / "frames").glob("*known_signs/**/*.png")):
        base, number = path.stem.rsplit("_", 1)
        index = int(base.rsplit("_", 1)[1])
        sign = read(cv2.imread(str(out / "learn" / names[index])))[int(number)]
        label = shown(sign, truth[names[index]])
        folder = out / "sorted" / label if label else out / "none"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
        counts[label or "none"] += 1
    print(f"{out / 'sorted'}: {', '.join(f'{label} {count}' for label, count in sorted(counts.items()))}")


def score(out: Path, model: Path) -> None:
    """Print how a model reads the drives that test."""
    names, truth = truths(out / "test.json")
    read = reader(model)
    there = Counter(label for signs in truth.values() for label in signs)
    found, known, right = Counter[str](), Counter[str](), Counter[str]()
    others = 0
    for name in names:
        for sign in read(cv2.imread(str(out / "test" / name))):
            label = shown(sign, truth[name])
            found[label] += bool(label)
            known[label] += bool(label and sign)
            right[label] += sign.label == label and bool(sign)
            others += bool(sign) and not label
    print(f"{model}, {len(names)} frames; {others} other boxes are taken for a sign")
    for label, count in sorted(there.items()):
        print(f"  {label}: {count}, found {found[label]}, known {known[label]}, by its name {right[label]}")


def reader(signs: Path) -> perception.SignReader:
    """What finds and reads signs."""
    find = perception.load(shared("models/sign_detector.onnx"), device="cpu")
    return perception.SignReader(find, perception.load(signs, device="cpu"))


def truths(path: Path) -> tuple[list[str], dict[str, dict[str, Box]]]:
    """The frames' names in the order of the drive, and the signs in each."""
    truth: dict[str, dict[str, Box]] = json.loads(path.read_text())
    return sorted(truth), truth


def shown(sign: Sign, truth: dict[str, Box]) -> str:
    """Which sign a box is on; empty: none."""
    for label, box in truth.items():
        if overlaps(np.array([sign.box]), np.array([box]))[0, 0] >= FOUND:
            return label
    return ""


if __name__ == "__main__":
    main()
