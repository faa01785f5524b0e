"""MaskData: pictures of streets or tracks with label images, and tracks that are rendered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from perception.spec import Color
from perception.tasks import UNLABELLED
from training.augment import color_jitter, noise
from training.datasets import camvid, cityscapes, folders
from training.datasets.excluded import Excluded
from training.datasets.images import DataError, MaskImage, MaskSet, require_folder, require_labels
from training.datasets.rendered_tracks import LABELS, RenderedTracks, samples
from training.datasets.tensors import load_frames, load_masks
from training.distributed import EachEpochOthers
from training.segmentation.augment import mix_classes, scale_crop_flip
from training.split import of_pictures

WHOLE_SCALE = (1.0, 1.15)  # of whole pictures, which are as the car sees them
SAMPLES = 256  # rendered tracks that stand for all of them where pixels are counted and logits are shifted


class MaskData(L.LightningDataModule):
    """CamVid, Cityscapes, or a folder of pictures and label images, kept in memory; and rendered tracks.

    Batches are frames (N, 3, H, W) float32 BGR in 0…255 and class ids (N, H, W) int64, 255 = unlabelled.

    Args:
        root: the data set.
        size_hw: pictures are resized to it, px; validation and the exported model see this size.
        crop_hw: training sees random crops of this size, px.
        scale: training scales pictures by a factor drawn between these two.
        whole_epochs: the last epochs learn from nearly whole pictures instead of crops, at the scale that the
            car sees (Touvron et al. 2019).
        mix: share of the crops that other crops' things are laid over, see :func:`mix_classes`.
        noise: share of the crops that get a sensor's noise.
        batch_size: crops a step.
        rendered: share of each batch that is rendered tracks, see :mod:`training.datasets.rendered_tracks`;
            with 1, the training pictures are not learnt from. The classes must be those of the tracks.
        floors: folder with pictures of floors, which half of the rendered tracks have then.
        steps: of an epoch, if tracks are rendered, shared by several processes; else an epoch is all pictures
            once.
        workers: processes that cut crops and render beside the one that learns; 0 does it in that one.
        train_on_val: learn from the validation pictures too. For a last model, by a schedule that another run
            has tried; what is measured on those pictures then says nothing.
        exclude: list of pictures to leave out, as ``audit`` writes it; the others are split as without it.
    """

    def __init__(
        self,
        root: str,
        *,
        size_hw: tuple[int, int] = (360, 480),
        crop_hw: tuple[int, int] = (288, 384),
        scale: tuple[float, float] = (0.5, 2.0),
        whole_epochs: int = 0,
        mix: float = 0.5,
        noise: float = 0.0,
        batch_size: int = 8,
        rendered: float = 0.0,
        floors: str | None = None,
        steps: int = 100,
        workers: int = 0,
        train_on_val: bool = False,
        exclude: str | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.root = Path(root)
        self.size_hw = size_hw
        self.crop_hw = crop_hw
        self.scale = scale
        self.whole_epochs = whole_epochs
        self.mix = mix
        self.noise = noise
        self.batch_size = batch_size
        self.rendered = rendered
        self.floors = floors
        self.steps = steps
        self.workers = workers
        self.train_on_val = train_on_val
        self.exclude = exclude
        self.val: TensorDataset | None = None

    @property
    def data_set(self) -> str:
        """Its name, for the model's spec."""
        return self.masks.name

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.masks.labels

    @property
    def palette(self) -> tuple[Color, ...]:
        """One (R, G, B) per class."""
        return self.masks.palette

    def setup(self, stage: str | None = None) -> None:
        """Read everything into memory, once."""
        if self.val is not None:
            return
        if not 0 < self.scale[0] <= self.scale[1]:
            raise DataError(
                f"--data.scale is {list(self.scale)}; expected the smaller factor first, as [0.5, 2.0]"
            )
        if not 0 <= self.rendered <= 1:
            raise DataError(f"--data.rendered is {self.rendered}; expected a share between 0 and 1, as 0.75")
        if self.rendered and self.whole_epochs:
            raise DataError("rendered tracks have one size; leave out --data.whole_epochs or --data.rendered")
        self.masks = read(self.root)
        self.kept_aside = of_pictures(self.masks.val)
        self.excluded = Excluded.read(self.exclude, self.root, self.masks.train + self.masks.val)
        train, val = map(self.excluded.rest, (self.masks.train, self.masks.val))
        self.labelled = self._load(train + (val if self.train_on_val else []))
        self.train = self.labelled
        if self.rendered:
            require_labels(self.masks.labels, LABELS, self.root)
            self.train = self._with_samples()
        self.val = self._load(val)

    def _with_samples(self) -> TensorDataset:
        """The training pictures and as many rendered ones, always the same, as a batch has beside them."""
        if self.rendered == 1.0:
            return TensorDataset(*samples(SAMPLES, self.size_hw, self.floors))
        count = min(SAMPLES, round(len(self.labelled) * self.rendered / (1 - self.rendered)))
        drawn = samples(count, self.size_hw, self.floors)
        return TensorDataset(*(torch.cat(pair) for pair in zip(self.labelled.tensors, drawn)))

    def _load(self, images: list[MaskImage]) -> TensorDataset:
        return TensorDataset(
            load_frames([image.path for image in images], self.size_hw),
            load_masks(images, self.size_hw, self.masks.ids),
        )

    def pixel_shares(self) -> Tensor:
        """(classes,) share of the labelled training pixels that each class has."""
        # One by one: bincount takes eight bytes a pixel.
        counts = torch.zeros(UNLABELLED + 1, dtype=torch.int64)
        for mask in self.train.tensors[1]:
            counts += torch.bincount(mask.flatten(), minlength=UNLABELLED + 1)
        counts = counts[: len(self.labels)]
        return counts / counts.sum()

    def view(self) -> tuple[tuple[int, int], tuple[float, float]]:
        """Size of the crops in this epoch, px, and the range of their scale."""
        trainer = self.trainer
        if not self.whole_epochs or trainer is None:
            return self.crop_hw, self.scale
        if trainer.max_epochs is None or trainer.max_epochs < 0:
            raise DataError("--data.whole_epochs are the last ones; give --trainer.max_epochs")
        if trainer.current_epoch < trainer.max_epochs - self.whole_epochs:
            return self.crop_hw, self.scale
        height, width = (side // 16 * 16 for side in self.size_hw)  # a multiple of the nets' strides
        return (height, width), WHOLE_SCALE

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        crops: Dataset[tuple[Tensor, Tensor]] = _Crops(self.labelled, self.view)
        size = len(self.labelled)
        sampler: EachEpochOthers | None = None
        if self.rendered:
            size = self.steps * self.batch_size
            tracks = RenderedTracks(size, self.crop_hw, self.floors)
            crops = _Mixed(tracks, crops, len(self.labelled), self.batch_size, self.rendered)
            sampler = EachEpochOthers(size, self.trainer, batch_size=self.batch_size)
        return DataLoader(
            crops,
            self.batch_size,
            shuffle=sampler is None,
            sampler=sampler,
            drop_last=size > self.batch_size,
            num_workers=self.workers,
            multiprocessing_context="fork" if self.workers else None,
        )

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        assert self.val is not None, "setup() comes first"
        return DataLoader(self.val, self.batch_size)

    def on_after_batch_transfer(self, batch: list[Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        frames, ids = batch
        if self.trainer is not None and self.trainer.training:
            frames = color_jitter(
                frames.float() / 255.0, brightness=1.5, contrast=1.5, saturation=1.5, tint=0.1
            )
            if self.noise:
                frames = noise(frames, p=self.noise)
            return mix_classes(frames * 255.0, ids.long(), p=self.mix)
        return frames.float(), ids.long()


class _Crops(Dataset[tuple[Tensor, Tensor]]):
    """Random scales, crops and flips of the pictures of another data set.

    Args:
        pictures: frames and masks.
        view: gives the size of the crops and the range of their scale, which change between epochs.
    """

    def __init__(
        self, pictures: TensorDataset, view: Callable[[], tuple[tuple[int, int], tuple[float, float]]]
    ) -> None:
        self.pictures = pictures
        self.view = view

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        frame, mask = self.pictures[index]
        rng = np.random.default_rng(int(torch.randint(2**31, ())))
        crop_hw, scale = self.view()
        return scale_crop_flip(frame, mask, crop_hw, scale=scale, rng=rng)


class _Mixed(Dataset[tuple[Tensor, Tensor]]):
    """Batches of which the first part is rendered and the rest cut from pictures, drawn by chance."""

    def __init__(
        self,
        tracks: RenderedTracks,
        crops: Dataset[tuple[Tensor, Tensor]],
        pictures: int,
        batch_size: int,
        rendered: float,
    ) -> None:
        self.tracks = tracks
        self.crops = crops
        self.pictures = pictures
        self.batch_size = batch_size
        self.rendered = rendered

    def __len__(self) -> int:
        return len(self.tracks)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if index % self.batch_size < round(self.rendered * self.batch_size):
            return self.tracks[index]
        return self.crops[int(torch.randint(self.pictures, ()))]


def read(root: Path) -> MaskSet:
    """Read a segmentation data set in whichever layout it has.

    Raises:
        DataError: the folder is missing, or has none of the layouts.
    """
    require_folder(root)
    if camvid.is_camvid(root):
        return camvid.read(root)
    if cityscapes.is_cityscapes(root):
        return cityscapes.read(root)
    return folders.read_masks(root)
