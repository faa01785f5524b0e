"""Write the files in real/ with the tools' own libraries; not a test, and nothing that tests import.

Each tool needs an environment of its own, because their pins contradict each other and the project's:

    python -m venv A && A/bin/pip install datumaro==1.13.12 cvat-sdk==2.80.0
    python -m venv B && B/bin/pip install labelme==6.3.1
    python -m venv C && C/bin/pip install label-studio-sdk==2.1.2 supervision==0.31.2 pycocotools==2.0.11
    for each in A B C: each/bin/python tests/training/datasets/labels/make_real.py

Every library that an environment has writes its files anew. scene.py, the scene, needs NumPy alone.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import scene  # noqa: E402

REAL = HERE / "real"


def fresh(name: str) -> Path:
    folder = REAL / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def datumaro() -> None:
    """CVAT, COCO and Pascal VOC, each as datumaro exports it."""
    import datumaro as dm
    from datumaro.components.annotation import Bbox, LabelCategories, Mask, Polygon
    from datumaro.components.media import Image

    categories = {dm.AnnotationType.label: LabelCategories.from_iterable(scene.LABELS)}

    def items(*, as_masks: bool):
        for name in scene.NAMES:
            shapes = []
            for order, (label, kind, points) in enumerate(scene.SHAPES):
                known = {
                    "label": scene.LABELS.index(label),
                    "z_order": order,
                    "id": order + 1,
                    "group": order + 1,
                }
                if as_masks:
                    shapes.append(Mask(scene.area(kind, points), **known))
                elif kind == "polygon":
                    shapes.append(Polygon(list(np.ravel(points)), **known))
                elif kind == "box":
                    x1, y1, x2, y2 = points
                    shapes.append(Bbox(x1, y1, x2 - x1, y2 - y1, **known))
                else:
                    shapes.append(Mask(scene.ring_mask(), **known))
            image = Image.from_numpy(scene.picture(name)[..., ::-1])
            yield dm.DatasetItem(id=name, subset="train", media=image, annotations=shapes)

    def export(form: str, *, as_masks: bool = False) -> None:
        dataset = dm.Dataset.from_iterable(list(items(as_masks=as_masks)), categories=categories)
        folder = fresh(f"datumaro_{form}")
        dataset.export(str(folder), form, save_media=True, image_ext=".png")

    export("cvat")
    export("coco_instances")
    export("voc_segmentation", as_masks=True)  # of which it writes masks alone


def cvat_sdk() -> None:
    """The run lengths of a mask as CVAT's own client encodes them, in CVAT's XML."""
    from cvat_sdk.masks import encode_mask

    *runs, left, top, right, bottom = encode_mask(scene.ring_mask())
    folder = fresh("cvat_sdk")
    mask = {"rle": [int(run) for run in runs], "left": left, "top": top}
    mask |= {"width": right - left + 1, "height": bottom - top + 1}
    (folder / "mask.json").write_text(json.dumps(mask) + "\n")


def labelme() -> None:
    """A file with a polygon, a rectangle, a circle, a mask and a line, as LabelMe saves it."""
    from labelme import utils
    from labelme._label_file import write_label_file

    folder = fresh("labelme")
    ring = scene.ring_mask()
    y, x = np.nonzero(ring)
    cut = ring[y.min() : y.max() + 1, x.min() : x.max() + 1]
    corners = [[int(x.min()), int(y.min())], [int(x.max()), int(y.max())]]
    known = {"group_id": None, "description": "", "flags": {}}
    shapes = []
    for label, kind, points in scene.SHAPES:
        if kind == "polygon":
            shapes.append(
                {"label": label, "points": [list(p) for p in points], "shape_type": "polygon", "mask": None}
            )
        elif kind == "box":
            x1, y1, x2, y2 = points
            shapes.append(
                {"label": label, "points": [[x2, y2], [x1, y1]], "shape_type": "rectangle", "mask": None}
            )
        else:
            text = utils.img_arr_to_b64(cut.astype(np.uint8))
            shapes.append({"label": label, "points": corners, "shape_type": "mask", "mask": text})
    shapes.append({"label": "line", "points": [[1, 1], [9, 1]], "shape_type": "line", "mask": None})
    shapes = [{**known, **shape} for shape in shapes]
    height, width = scene.SIZE_HW
    for name in scene.NAMES:
        scene.write_png(folder / f"{name}.png", scene.picture(name))
        write_label_file(
            str(folder / f"{name}.json"), shapes=shapes, image_path=f"{name}.png", image_height=height,
            image_width=width,
        )  # fmt: skip


def label_studio_sdk() -> None:
    """An export with a polygon, a rectangle and a brush whose bytes are of Label Studio's converter."""
    from label_studio_sdk.converter import brush

    folder = fresh("label_studio")
    height, width = scene.SIZE_HW
    tasks = []
    for number, name in enumerate(scene.NAMES, start=7):
        results = []
        for order, (label, kind, points) in enumerate(scene.SHAPES):
            known = {"id": f"r{order}", "from_name": "label", "to_name": "image", "origin": "manual"}
            known |= {"original_width": width, "original_height": height, "image_rotation": 0}
            if kind == "polygon":
                shares = [[100 * x / width, 100 * y / height] for x, y in points]
                value = {"points": shares, "closed": True, "polygonlabels": [label]}
                results.append({**known, "type": "polygonlabels", "value": value})
            elif kind == "box":
                x1, y1, x2, y2 = points
                value = {"x": 100 * x1 / width, "y": 100 * y1 / height, "rotation": 0}
                value |= {"width": 100 * (x2 - x1) / width, "height": 100 * (y2 - y1) / height}
                results.append(
                    {**known, "type": "rectanglelabels", "value": {**value, "rectanglelabels": [label]}}
                )
            else:
                painted = np.full((height, width, 4), (12, 34, 56, 0), np.uint8)  # transparent, not black
                painted[scene.ring_mask(), 3] = 255
                rle = brush.encode_rle(painted.ravel())
                value = {"format": "rle", "rle": rle, "brushlabels": [label]}
                results.append({**known, "type": "brushlabels", "value": value})
        annotation = {"id": number, "was_cancelled": False, "result": results}
        data = {"image": f"/data/upload/1/0a1b2c3d-{name}.png"}
        tasks.append({"id": number, "data": data, "annotations": [annotation], "predictions": []})
    (folder / "project.json").write_text(json.dumps(tasks) + "\n")


def supervision() -> None:
    """COCO and YOLO of Roboflow's library, in the folders of Roboflow's exports."""
    import supervision as sv

    folder = fresh("roboflow_pictures") / "train"
    folder.mkdir()
    pictures, annotations = [], {}
    for name in scene.NAMES:
        path = folder / f"{name}.png"
        scene.write_png(path, scene.picture(name))
        masks, classes = [], []
        for label, kind, points in scene.SHAPES:
            if kind == "polygon":
                masks.append(sv.polygon_to_mask(np.array(points, np.int32), scene.SIZE_HW[::-1]) > 0)
                classes.append(scene.LABELS.index(label))
        stacked = np.stack(masks)
        annotations[str(path)] = sv.Detections(
            xyxy=sv.mask_to_xyxy(stacked), mask=stacked, class_id=np.array(classes)
        )
        pictures.append(str(path))
    dataset = sv.DetectionDataset(classes=list(scene.LABELS), images=pictures, annotations=annotations)
    coco = fresh("roboflow_coco") / "train"
    dataset.as_coco(images_directory_path=str(coco), annotations_path=str(coco / "_annotations.coco.json"))
    yolo = fresh("roboflow_yolo")
    dataset.as_yolo(
        images_directory_path=str(yolo / "train" / "images"),
        annotations_directory_path=str(yolo / "train" / "labels"),
        data_yaml_path=str(yolo / "data.yaml"),
    )
    shutil.rmtree(REAL / "roboflow_pictures")


def pycocotools() -> None:
    """The run lengths of a mask as COCO's own code writes them."""
    from pycocotools import mask as coco

    folder = fresh("pycocotools")
    runs = coco.encode(np.asfortranarray(scene.ring_mask().astype(np.uint8)))
    text = {"size": runs["size"], "counts": runs["counts"].decode()}
    (folder / "mask.json").write_text(json.dumps(text) + "\n")


if __name__ == "__main__":
    for make in (datumaro, cvat_sdk, labelme, label_studio_sdk, supervision, pycocotools):
        if importlib.util.find_spec(make.__name__):
            make()
            print(make.__name__)
