"""SignData: crops of signs, split by track, with background as the class after the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from perception.spec import ModelSpec
from training.datasets import folders, gtsdb, gtsrb
from training.datasets.excluded import Excluded
from training.datasets.images import DataError, SignImage, SignSet, files, require_folder
from training.datasets.tensors import load_frames
from training.datasets.text import plain
from training.signs.augment import SignAugment, deform
from training.signs.outlines import masks
from training.split import Split, of_background, of_tracks, split_by_track, validates

PER_PICTURE = 12  # crops of background
PER_FOLDER = 1800  # crops of rooms, whose pictures are frames of a drive and alike


class SignData(L.LightningDataModule):
    """GTSRB (official, Kaggle's or torchvision's layout) or one folder per class, kept in memory.

    Batches are frames (N, 3, S, S) float32 BGR in 0…255 and class ids (N,) int64; ``len(labels)`` is
    "no known sign".

    Args:
        root: the data set.
        background: pictures to cut "no known sign" from, as GTSDB has them; None trains without.
        rooms: further folders of pictures without signs to learn "no known sign" from, as frames that a car
            took in the rooms and on the floors where it shall drive. None of them validates.
        size: side of the square that crops are resized to, px.
        batch_size: crops a step.
        val_fraction: share of the tracks of each class that is kept for validation, unless the data set is
            split already.
        seed: of the split and of the background crops.
        deformed: chance that a training crop is turned into "no known sign", see :func:`deform`.
        spoil: factor on how often haze, covers, blur and the like spoil a training crop, see
            :class:`SignAugment`.
        train_on_val: learn from all tracks and all background. For a last model, by a schedule that another
            run has tried; what is measured on the validation part then says nothing.
        box_margin: how far around the sign the pictures reach on each side, as a share of its size; the car
            widens its boxes by it. None: a tenth, as GTSRB's do, or what ``box_margin.json`` in your own
            folder says, or none.
        hold_out: names of classes to leave out of training. In validation they are signs that the model
            was never taught, with the id ``len(labels) + 1``.
        exclude: list of pictures to leave out, as ``audit`` writes it; the others are split as without it.
    """

    def __init__(
        self,
        root: str,
        *,
        background: str | None = None,
        rooms: tuple[str, ...] = (),
        size: int = 64,
        batch_size: int = 256,
        val_fraction: float = 0.1,
        seed: int = 0,
        deformed: float = 0.1,
        spoil: float = 1.0,
        train_on_val: bool = False,
        box_margin: float | None = None,
        hold_out: tuple[str, ...] = (),
        exclude: str | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.root = Path(root)
        self.background = Path(background) if background else None
        self.rooms = tuple(Path(folder) for folder in rooms)
        self.size_hw = (size, size)
        self.batch_size = batch_size
        self.val_fraction = val_fraction
        self.seed = seed
        self.deformed = deformed
        self.train_on_val = train_on_val
        self.box_margin = box_margin
        self.hold_out = hold_out
        self.exclude = exclude
        self.augment = SignAugment(spoil)
        self.val: TensorDataset | None = None

    @property
    def data_set(self) -> str:
        """Its name, for the model's spec."""
        return self.signs.name

    @property
    def is_split_already(self) -> bool:
        """Whether the data set says what validates, once ``setup`` has run."""
        return any(image.part for image in self.signs.images)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the known classes."""
        return self.signs.labels

    def setup(self, stage: str | None = None) -> None:
        """Read everything into memory, once."""
        if self.val is not None:
            return
        dataset = read(self.root)
        if self.box_margin is not None:
            if not 0 <= self.box_margin <= 1:
                raise DataError(
                    f"--data.box_margin is {self.box_margin}; expected a share of the sign's size, as 0.1"
                )
            dataset = replace(dataset, box_margin=self.box_margin)
        self.signs, unknown = without(dataset, self.hold_out)
        train, val = split_by_track(self.signs.images, val_fraction=self.val_fraction, seed=self.seed)
        self.kept_aside = of_tracks(val)
        self.excluded = Excluded.read(self.exclude, self.root, dataset.images)
        train, val, unknown = map(self.excluded.rest, (train, val, unknown))
        self.outlines = masks(self.signs.outlines, len(self.labels), self.size_hw)
        self.flip_to = flip_table(self.signs)
        street, is_val = self._background()
        self.background_kept_aside = (
            of_background(files(self.background), self.val_fraction) if self.background else None
        )
        rooms = [self._cut(folder, per_frame(len(files(folder))))[0] for folder in self.rooms]
        if self.train_on_val:
            self.train = self._load(train + val, torch.cat([street, *rooms]))
        else:
            self.train = self._load(train, torch.cat([street[~is_val], *rooms]))
        self.val = self._load(val + unknown, street[is_val])

    def _background(self) -> tuple[Tensor, Tensor]:
        """Crops (M, 3, S, S) uint8 without signs, and which of them (M,) are kept for validation."""
        if not self.background:
            return torch.empty(0, 3, *self.size_hw, dtype=torch.uint8), torch.empty(0, dtype=torch.bool)
        crops, pictures = self._cut(self.background, PER_PICTURE)
        return crops, validates(pictures, self.val_fraction)

    def _cut(self, folder: Path, per_picture: int) -> tuple[Tensor, Tensor]:
        return gtsdb.background(folder, size_hw=self.size_hw, per_picture=per_picture, seed=self.seed)

    def _load(self, images: list[SignImage], street: Tensor) -> TensorDataset:
        frames = load_frames([image.path for image in images], self.size_hw)
        if len(street):  # joining takes as much memory again
            frames = torch.cat([frames, street])
        ids = [image.class_id for image in images] + len(street) * [len(self.labels)]
        return TensorDataset(frames, torch.tensor(ids))

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(
            self.train, self.batch_size, shuffle=True, drop_last=len(self.train) > self.batch_size
        )

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        assert self.val is not None, "setup() comes first"
        return DataLoader(self.val, self.batch_size)

    def on_after_batch_transfer(self, batch: list[Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        frames, ids = batch
        if self.trainer is not None and self.trainer.training:
            if self.deformed:
                frames, ids = deform(frames, ids, p=self.deformed, no_sign=len(self.labels))
            outlines = self.outlines.to(ids.device) if len(self.outlines) else None
            frames, ids = self.augment(frames, ids, self.flip_to.to(ids.device), outlines)
        return frames.float(), ids


def per_frame(frames: int) -> int:
    """Crops to cut from each of so many frames of rooms."""
    return max(1, min(PER_PICTURE, PER_FOLDER // max(1, frames)))


def read(root: Path, *, in_part: bool = False) -> SignSet:
    """Read a data set of signs in whichever layout it has.

    Args:
        root: the data set.
        in_part: nobody learns from it, so it may have pictures of one class only, or of none.

    Raises:
        DataError: the folder is missing, or has none of the layouts.
    """
    require_folder(root)
    if gtsrb.is_gtsrb(root):
        return gtsrb.read(root)
    return folders.list_classes(root, in_part=True) if in_part else folders.read_classes(root)


def read_like(spec: ModelSpec, root: Path, split: Split, *, in_part: bool = False) -> SignSet:
    """Read a data set with the model's classes, or some of them, numbered as the model numbers them.

    Args:
        spec: the model's.
        root: the data set.
        split: how the training of the model split it; the classes that it left out are left out.
        in_part: see :func:`read`.

    Raises:
        DataError: it cannot be read or has other classes.
    """
    dataset = read(root, in_part=in_part)
    held_out = [plain(name) for name in split.hold_out if plain(name) in dataset.labels]
    dataset, _ = without(dataset, held_out, least=0 if in_part else 2)
    known = tuple(map(plain, spec.labels))  # an earlier release kept them as a Mac writes them
    others = [label for label in dataset.labels if label not in known]
    if others:
        raise DataError(
            f"{root} has the class {others[0]!r}, which the model does not know; it knows "
            f"{', '.join(spec.labels)}"
        )
    return in_order(dataset, known)


def without(signs: SignSet, names: Sequence[str], *, least: int = 2) -> tuple[SignSet, list[SignImage]]:
    """Leave classes out.

    Args:
        signs: all of them.
        names: of the classes to leave out.
        least: classes that must stay.

    Returns:
        The other classes, renumbered, and the left-out images with the class id after background's.

    Raises:
        DataError: there is no such class, or too few are left.
    """
    names = [plain(name) for name in names]
    missing = sorted(set(names) - set(signs.labels))
    if missing:
        raise DataError(f"there is no class {missing[0]!r} to hold out; the classes are {signs.labels}")
    labels = tuple(label for label in signs.labels if label not in names)
    if names and len(labels) < least:
        raise DataError(
            f"all classes but {', '.join(labels) or 'none'} are held out; {least} at least must stay"
        )
    new_id = {old: labels.index(label) for old, label in enumerate(signs.labels) if label in labels}
    images = tuple(
        replace(image, class_id=new_id[image.class_id]) for image in signs.images if image.class_id in new_id
    )
    flips = {new_id[a]: new_id[b] for a, b in signs.flips.items() if a in new_id and b in new_id}
    outlines = {new_id[old]: outline for old, outline in signs.outlines.items() if old in new_id}
    left_out = [replace(i, class_id=len(labels) + 1) for i in signs.images if i.class_id not in new_id]
    rest = replace(signs, labels=labels, images=images, flips=flips, outlines=outlines)
    return rest, left_out


def in_order(signs: SignSet, labels: tuple[str, ...]) -> SignSet:
    """The same images, their classes numbered as in ``labels``, which has all of them."""
    images = tuple(replace(i, class_id=labels.index(signs.labels[i.class_id])) for i in signs.images)
    flips = {labels.index(signs.labels[a]): labels.index(signs.labels[b]) for a, b in signs.flips.items()}
    outlines = {labels.index(signs.labels[old]): outline for old, outline in signs.outlines.items()}
    return replace(signs, labels=labels, images=images, flips=flips, outlines=outlines)


def flip_table(signs: SignSet) -> Tensor:
    """(classes + 1,) the class of each class's mirror image or -1; what is no known sign may always flip."""
    table = torch.full((len(signs.labels) + 1,), -1)
    for class_id, mirrored in signs.flips.items():
        table[class_id] = mirrored
    table[-1] = len(signs.labels)
    return table
