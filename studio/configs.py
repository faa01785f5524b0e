"""The configs of the project: what each is for, which task it trains, and the settings that matter most."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from training.tasks import TASKS

_SENTENCE = re.compile(r"(?<=[.?!]) ")
FOLDER = Path(__file__).parents[1] / "training" / "configs"


@dataclass(frozen=True)
class Config:
    """One config.

    Attributes:
        path: of the file.
        task: key in the table of tasks.
        about: what it is for, in two lines or three; without what says how data is named.
        epochs: that it trains.
        batch_size: pictures a step.
        lr: learning rate.
        seed: of all random numbers.
    """

    path: Path
    task: str
    about: str
    epochs: int
    batch_size: int
    lr: float
    seed: int


@cache
def configs() -> dict[str, Config]:
    """All configs, by the name of their file without ``.yaml``."""
    tasks = {task.data.replace(":", "."): name for name, task in TASKS.items()}
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        content: dict[str, Any] = YAML(typ="safe").load(text)
        about = " ".join(line.lstrip("# ") for line in text.splitlines() if line.startswith("#"))
        data, model = content["data"], content["model"]["init_args"]
        found[path.stem] = Config(
            path=path,
            task=tasks[data["class_path"]],
            about=" ".join(one for one in _SENTENCE.split(about) if not one.startswith("--data.root")),
            epochs=content["trainer"]["max_epochs"],
            batch_size=data["init_args"]["batch_size"],
            lr=model["lr"],
            seed=content.get("seed_everything", 0),
        )
    return found
