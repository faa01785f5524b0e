"""BoxData: street pictures with the boxes of their signs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training import internals
from training.datasets import boxes as box_sets
from training.datasets.excluded import Excluded
from training.datasets.images import BoxImage, DataError
from training.detection import paste
from training.detection.crops import Crops, Mined
from training.detection.frames import Frames, padded
from training.detection.net import STRIDE
from training.detection.targets import Boxes
from training.distributed import EachEpochOthers
from training.split import of_pictures

LABELS = ("sign",)  # which sign it is, the classifier says
PREFETCH = 4  # batches that each process of the loader has ready


class BoxData(L.LightningDataModule):
    """Pictures with boxes (GTSDB, YOLO, COCO or Pascal VOC), whose classes all count as signs.

    Training batches are crops (N, 3, S, S) float32 BGR in 0…255 and what the net should say of them
    (N, 7, S/4, S/4), see :func:`training.detection.targets.target`. Validation batches are one whole picture,
    padded to a multiple of the net's stride, and its boxes (1, M, 4).

    Args:
        root: the data set.
        signs: GTSRB, whose signs are pasted into the pictures; None pastes none.
        size_hw: size of the frames that the model is made for, px. Pictures keep their size, but that small
            ones are enlarged to as many pixels, as on the car.
        crop: side of the crops to learn from, px; a multiple of 16.
        scale: training scales pictures by a factor drawn between these two.
        pasted: share of the crops that signs are pasted into.
        pasted_px: the smallest and the largest of these.
        batch_size: crops a step.
        steps: of an epoch; any number of crops can be cut from the pictures. Several processes share them.
        val_fraction: share of the pictures that is kept for validation, unless the data set is split already.
        workers: processes that make crops beside the one that learns; 0 makes them in that one.
        train_on_val: learn from the validation pictures, too. For a last model, by a schedule that another
            run has tried; what is measured on those pictures then says nothing.
        exclude: list of pictures to leave out, as ``audit`` writes it; the others are split as without it.
    """

    def __init__(
        self,
        root: str,
        *,
        signs: str | None = None,
        size_hw: tuple[int, int] = (800, 1360),
        crop: int = 320,
        scale: tuple[float, float] = (0.75, 1.6),
        pasted: float = 0.6,
        pasted_px: tuple[float, float] = (14.0, 100.0),
        batch_size: int = 16,
        steps: int = 500,
        val_fraction: float = 0.2,
        workers: int = 1,
        train_on_val: bool = False,
        exclude: str | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.root = Path(root)
        self.signs = Path(signs) if signs else None
        self.size_hw = size_hw
        self.crop = crop
        self.scale = scale
        self.pasted = pasted
        self.pasted_px = pasted_px
        self.batch_size = batch_size
        self.steps = steps
        self.val_fraction = val_fraction
        self.workers = workers
        self.train_on_val = train_on_val
        self.exclude = exclude
        self.val: Pictures | None = None
        self.mined: Mined = np.empty((0, 4), np.float32)
        self._crops: Crops | None = None

    @property
    def data_set(self) -> str:
        """Its name, for the model's spec."""
        return self.boxes.name

    @property
    def labels(self) -> tuple[str, ...]:
        """One class for all signs."""
        return LABELS

    @property
    def is_split_already(self) -> bool:
        """Whether the data set says what validates, once ``setup`` has run."""
        return any(image.part for image in self.boxes.images)

    @property
    def enlarge_to(self) -> int:
        """See ``ModelSpec``."""
        return self.size_hw[0] * self.size_hw[1]

    @property
    def stride(self) -> int:
        """See ``ModelSpec``."""
        return STRIDE

    def setup(self, stage: str | None = None) -> None:
        """Decode everything, once.

        Raises:
            DataError: the data set cannot be used, or the numbers do not go together.
        """
        if self.val is not None:
            return
        self._require_sound()
        self.boxes = box_sets.read(self.root)
        train, val = box_sets.split(self.boxes.images, val_fraction=self.val_fraction)
        if not train or not val:
            raise DataError(
                f"{self.root} has {len(self.boxes.images)} pictures, too few to learn and validate"
            )
        self.kept_aside = of_pictures(val)
        self.excluded = Excluded.read(self.exclude, self.root, self.boxes.images)
        train, val = map(self.excluded.rest, (train, val))
        self.train = Pictures(train + val if self.train_on_val else train, enlarge_to=self.enlarge_to)
        self.val = Pictures(val, enlarge_to=self.enlarge_to)

    def _require_sound(self) -> None:
        if self.crop < STRIDE or self.crop % STRIDE:
            raise DataError(f"--data.crop is {self.crop}; expected a multiple of {STRIDE}, as 320")
        for name, (low, high) in (("scale", self.scale), ("pasted_px", self.pasted_px)):
            if not 0 < low <= high:
                raise DataError(f"--data.{name} is {[low, high]}; expected the smaller number first")

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        self._crops = Crops(
            self.train.frames,
            self.train.boxes,
            paste.read(self.signs) if self.signs and self.pasted else [],
            side=self.crop,
            scale=self.scale,
            pasted=self.pasted,
            pasted_px=self.pasted_px,
            count=self.steps * self.batch_size,
            seed=internals.global_seed() or 0,
        )
        self._crops.mined = self.mined
        sampler = EachEpochOthers(len(self._crops), self.trainer, batch_size=self.batch_size)
        sampler.set_epoch(self.trainer.current_epoch if self.trainer else 0)  # Lightning sets the next ones
        return DataLoader(
            self._crops,
            self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            prefetch_factor=PREFETCH if self.workers else None,
            # They share the decoded pictures and what was mined before the epoch.
            multiprocessing_context="fork" if self.workers else None,
            worker_init_fn=_one_thread,
        )

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        assert self.val is not None, "setup() comes first"
        return DataLoader(self.val, batch_size=1)

    def on_after_batch_transfer(self, batch: list[Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        frames, wanted = batch
        return frames.permute(0, 3, 1, 2).float(), wanted

    def aim_at(self, mined: Mined) -> None:
        """Cut some of the crops of the next epochs around these places, see :class:`Crops`."""
        self.mined = mined
        if self._crops is not None:
            self._crops.mined = mined

    def samples(self, count: int) -> Sequence[Tensor]:
        """About so many validation pictures, (1, H, W, 3) uint8 BGR as the model file takes them."""
        assert self.val is not None, "setup() comes first"
        return [
            self.val[number][0][None] for number in range(0, len(self.val), max(1, len(self.val) // count))
        ]

    def state_dict(self) -> dict[str, Any]:
        """What a training that is resumed must know, for the checkpoint."""
        return {"mined": torch.from_numpy(self.mined)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.aim_at(state_dict["mined"].numpy())


class Pictures(Dataset[tuple[Tensor, Tensor]]):
    """Whole pictures, padded, and their boxes (M, 4) xyxy px.

    Args:
        images: the files.
        enlarge_to: see :class:`Frames`.

    Attributes:
        images: the files.
        frames: decoded, without padding.
        boxes: (M, 4) xyxy px in each of the frames.
    """

    def __init__(self, images: Sequence[BoxImage], *, enlarge_to: int) -> None:
        self.images = images
        self.frames = Frames([image.path for image in images], enlarge_to=enlarge_to)
        self.boxes: list[Boxes] = [
            scaled(image.pixels(size_hw), size_hw, (frame.shape[0], frame.shape[1]))
            for image, size_hw, frame in zip(images, self.frames.sizes_hw, self.frames)
        ]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        # A copy, because torch wants memory that it may write to.
        frame = np.array(padded(self.frames[index], STRIDE))
        return torch.from_numpy(frame), torch.from_numpy(self.boxes[index])


def scaled(boxes: Boxes, before_hw: tuple[int, int], after_hw: tuple[int, int]) -> Boxes:
    """Boxes (M, 4) xyxy px of a picture that was scaled."""
    down, across = (after / before for after, before in zip(after_hw, before_hw))
    return boxes * np.array([across, down] * 2, np.float32)


def _one_thread(_: int) -> None:
    cv2.setNumThreads(0)  # a thread of the parent does not live on in a forked process
