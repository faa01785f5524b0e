"""Run the notebooks of the course, say how long they take, and store the pictures that carry their text.

    python -m scripts.course course/1_sign_classifier.ipynb course/2_segnet.ipynb

What a cell with the tag "picture" draws is kept in the file; all other outputs are left out.
"""

from __future__ import annotations

import argparse
import base64
import time
from pathlib import Path

import cv2
import nbformat
import numpy as np
from nbclient import NotebookClient

PICTURE = "picture"  # the tag
CELL_S = 3600
QUALITY = 78  # of 100, of JPEGs


def run(path: Path) -> nbformat.NotebookNode:
    """Run a notebook as JupyterLab does, in a fresh kernel and in its own folder.

    Raises:
        CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=CELL_S, kernel_name="python3", resources=folder).execute()
    return notebook


def strip(notebook: nbformat.NotebookNode) -> None:
    """Leave out everything that a run put in, but the pictures of tagged cells."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.execution_count = None
        outputs = cell.outputs if PICTURE in cell.metadata.get("tags", ()) else []
        drawn = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
        cell.outputs = [nbformat.v4.new_output("display_data", smaller(png)) for png in drawn]


def smaller(png: str) -> dict[str, str]:
    """A picture as PNG, or as JPEG if that has fewer bytes, as photographs do; by its type, in base64."""
    raw = base64.b64decode(png)
    picture = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
    return {"image/jpeg": base64.b64encode(jpeg).decode()} if len(jpeg) < len(raw) else {"image/png": png}


def main() -> None:
    """Run them one after the other."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.course", description="Run notebooks, time them, and store their pictures."
    )
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    for path in parser.parse_args().notebooks:
        start = time.monotonic()
        notebook = run(path)
        minutes = (time.monotonic() - start) / 60
        strip(notebook)
        nbformat.write(notebook, path)
        print(f"{path}: {minutes:.1f} min, {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
