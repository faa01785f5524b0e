"""Who has learnt from what: how pictures are split, and what checkpoints and model files say about it.

A model that is measured on what it has learnt from looks better than it is. So every training keeps pictures
aside, writes a fingerprint of them into what it leaves behind (``perception.spec.Provenance``), and whoever
goes on with that compares. All decisions are here, and none of them reads a text for people.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor

from perception.spec import LEARNT_VAL_IN_WORDS, ModelSpec, Provenance
from training.datasets.images import BoxImage, DataError, MaskImage, SignImage
from training.tasks import Data, Module, column, parameters

# Fingerprints in a checkpoint, and where the pictures are that they are of.
FINGERPRINTS = {"kept_aside": "root", "background_kept_aside": "background"}
PROVENANCE_KEY = "provenance"  # in the metadata of a file of weights


def fingerprint(names: Iterable[str]) -> str:
    """A short text that differs where the choice of pictures, or of tracks, differs.

    One more picture may change the choice in all that follow, and a model would be measured on what it has
    learnt from.
    """
    text = "\n".join(sorted(set(names)))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]


def of_tracks(images: Iterable[SignImage]) -> str:
    """Fingerprint of crops of signs, by their tracks."""
    return fingerprint(image.track for image in images)


def of_pictures(images: Iterable[BoxImage | MaskImage]) -> str:
    """Fingerprint of street pictures, by their names without ending."""
    return fingerprint(image.path.stem for image in images)


def of_background(paths: Sequence[Path], val_fraction: float) -> str:
    """Fingerprint of the background pictures that validate."""
    return fingerprint(path.stem for number, path in enumerate(paths) if validates(number, val_fraction))


@overload
def validates(numbers: Tensor, val_fraction: float) -> Tensor: ...
@overload
def validates(numbers: int, val_fraction: float) -> bool: ...
def validates(numbers: Tensor | int, val_fraction: float) -> Tensor | bool:
    """Whether background pictures of these numbers are kept for validation: every n-th, never all."""
    return numbers % max(2, round(1 / val_fraction)) == 0


def split_by_track(
    images: Sequence[SignImage], *, val_fraction: float, seed: int
) -> tuple[list[SignImage], list[SignImage]]:
    """Split so that no physical sign is on both sides, and every class with two tracks or more is on both.

    A data set that is split already stays as it is.

    Returns:
        Crops to learn from, and crops to validate on.

    Raises:
        DataError: the share is not between 0 and 1.
    """
    if not 0 < val_fraction < 1:
        raise DataError(f"val_fraction is {val_fraction}; expected a share between 0 and 1, as 0.1")
    if any(image.part for image in images):
        return [i for i in images if i.part != "val"], [i for i in images if i.part == "val"]
    tracks: dict[int, dict[str, list[SignImage]]] = {}
    for image in images:
        tracks.setdefault(image.class_id, {}).setdefault(image.track, []).append(image)
    train: list[SignImage] = []
    val: list[SignImage] = []
    generator = torch.Generator().manual_seed(seed)
    for class_id in sorted(tracks):
        names = sorted(tracks[class_id])
        count = min(max(1, round(len(names) * val_fraction)), len(names) - 1)
        order = torch.randperm(len(names), generator=generator).tolist()
        for rank, index in enumerate(order):
            (val if rank < count else train).extend(tracks[class_id][names[index]])
    return train, val


@dataclass(frozen=True)
class Split:
    """How the training of a model split its data, as the model's spec says.

    Attributes:
        val_fraction: share of the tracks of each class, and of the background pictures, that validates; or
            of the street pictures.
        seed: of the choice; 0 if there is none.
        hold_out: names of the classes that training left out.
        background_kept_aside: fingerprint of the background that validates; empty if nobody knows.
        has_background: the model has learnt from background.
        assumed: what the spec does not say, and the values that were taken instead.
    """

    val_fraction: float
    seed: int
    hold_out: tuple[str, ...] = ()
    background_kept_aside: str = ""
    has_background: bool = False
    assumed: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: ModelSpec) -> Split:
        """Read the hyperparameters that ``export`` wrote; the defaults of the data module where they lack."""
        try:
            config = json.loads(spec.source.get("config", "{}"))
        except json.JSONDecodeError:
            config = {}
        defaults = parameters(column(spec.task, "data"))
        names = [name for name in ("val_fraction", "seed") if name in defaults]
        chosen = {name: config.get(name, defaults[name]) for name in names}
        aside = spec.provenance.background_kept_aside
        return cls(
            float(chosen["val_fraction"]),
            int(chosen.get("seed", 0)),
            tuple(config.get("hold_out") or ()),
            aside,
            bool(aside or config.get("background")),
            {name: value for name, value in chosen.items() if name not in config},
        )


def learnt(module: Module, data: Data) -> bool:
    """Whether a net, or the one whose weights it started from, has learnt from the validation part."""
    return data.train_on_val or module.start_learnt_val


def in_words(module: Module, data: Data) -> str:
    """The same for people, as a part of the spec's ``trained_on``; empty if it has not."""
    if data.train_on_val:
        return LEARNT_VAL_IN_WORDS
    return f"after others, {LEARNT_VAL_IN_WORDS}" if module.start_learnt_val else ""


def provenance(module: Module, data: Data) -> Provenance:
    """What a trained net has learnt from, for its spec.

    Args:
        module: the trained net.
        data: what it was trained on, set up.
    """
    return Provenance(
        data_set=data.data_set,
        kept_aside=data.kept_aside,
        background_kept_aside=getattr(data, "background_kept_aside", None) or "",
        learnt_val=learnt(module, data),
    )


def to_metadata(spec: ModelSpec) -> dict[str, str]:
    """What a file of weights says about itself, beside a model file with this spec."""
    return {
        "labels": json.dumps(spec.labels),
        "trained_on": spec.trained_on,
        PROVENANCE_KEY: json.dumps(asdict(spec.provenance)),
    }


def from_metadata(metadata: Mapping[str, str]) -> Provenance:
    """Read what :func:`to_metadata` wrote; files of earlier releases have only texts, and the oldest nothing.

    Raises:
        ValueError: the entry is malformed.
    """
    if PROVENANCE_KEY not in metadata:
        return Provenance.of_old_file(metadata.get("trained_on", ""), metadata)
    raw = json.loads(metadata[PROVENANCE_KEY])
    if not isinstance(raw, dict):
        raise ValueError(f"{PROVENANCE_KEY} is not a JSON object")
    known = {one.name for one in fields(Provenance)}
    return Provenance(**{name: value for name, value in raw.items() if name in known})


def require_same_split(data: Any, content: Mapping[str, Any]) -> None:
    """Refuse data with another validation part than the one that a training kept aside.

    Args:
        data: the data module, set up.
        content: of the checkpoint.

    Raises:
        DataError: it has another; checkpoints of earlier releases do not say.
    """
    for name, root in FINGERPRINTS.items():
        now = getattr(data, name, None)
        if now and content.get(name) not in (None, now):
            raise DataError(
                f"pictures of {getattr(data, root)} were added, renamed or taken out since the training "
                "began (or an earlier release split them differently); other pictures would validate now, "
                "and the net has learnt from some of them; restore the data set or train again"
            )


def warn_of_learnt(provenance: Provenance, data_set: str, *, kept_aside: str) -> bool:
    """Say on the terminal if weights to start from have learnt from pictures that validate now.

    Args:
        provenance: of the weights; files of earlier releases say less.
        data_set: name of the one to train on.
        kept_aside: fingerprint of its validation part.

    Returns:
        Whether they have, or may have.
    """
    theirs = provenance.kept_aside
    is_same_set, is_same_part = provenance.data_set == data_set, theirs == kept_aside
    has_learnt_all = provenance.learnt_val and (is_same_set or is_same_part)
    if has_learnt_all and not is_same_set:
        print("these weights have learnt from pictures named as those that validate here, perhaps the same")
        return True
    if has_learnt_all or (is_same_set and theirs and not is_same_part):
        print(
            "these weights have learnt from pictures that validate here: whatever is measured on them will "
            "look better than it is"
        )
        return True
    return False


def is_kept_aside(provenance: Provenance, kept_aside: str) -> bool:
    """Whether training kept this validation part aside, as far as the model says."""
    return provenance.kept_aside in ("", kept_aside)


def is_unseen(provenance: Provenance, kept_aside: str) -> bool:
    """Whether a model has learnt from nothing of a validation part, as far as it says."""
    return not provenance.learnt_val and is_kept_aside(provenance, kept_aside)


def remarks(provenance: Provenance, data_set: str, part: str, *, kept_aside: str) -> Iterator[str]:
    """What a reader of figures must know: whether the model has learnt from what they are measured on.

    Args:
        provenance: of the model.
        data_set: name of the one that is measured on.
        part: of it, ``all`` or ``val``.
        kept_aside: fingerprint of its validation part.
    """
    has_same_names = provenance.kept_aside == kept_aside
    # A checkpoint knows its pictures by their names alone.
    if provenance.data_set != data_set and (provenance.data_set or not has_same_names):
        # The same pictures may be in a folder of another name.
        if has_same_names and (provenance.learnt_val or part == "all"):
            yield "The model was trained with pictures of these names; if they are these, it knows them."
        elif part == "val":
            yield f"Measured on what a training on {data_set} would keep aside, and not on all pictures."
    elif provenance.learnt_val and has_same_names:
        yield "The model has learnt from these very pictures: the figures say nothing about others."
    elif provenance.learnt_val:
        yield f"The model has learnt from all of {data_set} as it was then: it knows the pictures of then."
    elif part == "all":
        yield "The model has learnt from most of these pictures, if the data set is still the same."
    elif not is_kept_aside(provenance, kept_aside):
        yield (
            "Pictures were added, renamed or taken out since the training, so others validate: the model may "
            "have learnt from some of these."
        )


def remarks_on_background(
    provenance: Provenance, split: Split, root: Path, part: str, *, kept_aside: str
) -> Iterator[str]:
    """The same of figures on background.

    Args:
        provenance: of the model.
        split: how its training split the data.
        root: folder of the background that is measured on.
        part: of it, ``all`` or ``val``.
        kept_aside: fingerprint of its validation part.
    """
    if part == "val" and split.background_kept_aside not in ("", kept_aside):
        yield (
            f"What training kept aside of its background is not what validates of {root}: that is another "
            "folder, or pictures were added, renamed or taken out, and the model has learnt from some."
        )
    elif split.has_background and (part == "all" or provenance.learnt_val):
        yield (
            f"The model has learnt from background. If that was {root}, the figures of known say nothing "
            "about other streets."
        )
