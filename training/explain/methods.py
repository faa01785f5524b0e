"""Methods: why a net says what it says, as one number for each pixel, by captum."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np
import torch
from captum.attr import Deconvolution, GuidedBackprop, LayerAttribution, LayerGradCam, Lime, Occlusion
from numpy.typing import NDArray
from torch import Tensor

from training.explain.question import Question

Heat = NDArray[np.float32]

AT_ONCE = 32  # covered pictures that go through the net together
SAMPLES = 500  # of LIME


def occlusion(asked: Question) -> Heat:
    """How much the score falls if a patch is covered (Zeiler and Fergus 2014); below 0, it rises."""
    fall = Occlusion(asked.model).attribute(
        asked.frames,
        sliding_window_shapes=(3, asked.patch, asked.patch),
        strides=(3, asked.step, asked.step),
        baselines=mean_color(asked.frames),
        target=asked.target,
        perturbations_per_eval=AT_ONCE,
    )
    return _numbers(fall[0, 0])


def lime(asked: Question) -> Heat:
    """Weights of a sparse linear model of the score if random patches are covered (Ribeiro et al. 2016).

    The patches are cells of a grid, because signs are too small for superpixels.
    """
    rows, columns = (torch.arange(side) // asked.patch for side in asked.frames.shape[-2:])
    cells = rows[:, None] * (int(columns[-1]) + 1) + columns
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the same question always has the same answer
        weights = Lime(asked.model).attribute(
            asked.frames,
            baselines=mean_color(asked.frames),
            target=asked.target,
            feature_mask=cells.expand(1, 1, -1, -1),
            n_samples=SAMPLES,
            perturbations_per_eval=AT_ONCE,
        )
    return _numbers(weights[0, 0])


def gradcam(asked: Question) -> Heat:
    """Features that speak for the answer, weighed by the mean of its gradient (Selvaraju et al. 2017)."""
    assert asked.layer is not None, "the task has Grad-CAM among its methods"
    coarse = LayerGradCam(asked.model, asked.layer).attribute(
        asked.frames, target=asked.target, relu_attributions=True
    )
    size_hw = tuple(side * asked.stride for side in coarse.shape[-2:])
    whole = LayerAttribution.interpolate(coarse, size_hw, "bilinear")
    height, width = asked.frames.shape[-2:]
    return _numbers(whole[0, 0, :height, :width])


def guided_backprop(asked: Question) -> Heat:
    """Gradients of pixels, if ReLUs pass back positive ones alone (Springenberg et al. 2015)."""
    return _of_pixels(GuidedBackprop, asked)


def deconvolution(asked: Question) -> Heat:
    """The same, if ReLUs pass back all that is positive, whether they were active or not (Zeiler 2014)."""
    return _of_pixels(Deconvolution, asked)


def _of_pixels(method: Callable[..., GuidedBackprop | Deconvolution], asked: Question) -> Heat:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Setting backward hooks|Input Tensor 0 did not")
        gradients = method(asked.model).attribute(asked.frames, target=asked.target)
    # That a pixel should be brighter or darker speaks neither for nor against the answer.
    return _numbers(gradients[0].abs().sum(dim=0))


def mean_color(frames: Tensor) -> Tensor:
    """What patches are covered with: the mean colour of each picture."""
    return frames.mean(dim=(2, 3), keepdim=True).expand_as(frames).contiguous()


def _numbers(heat: Tensor) -> Heat:
    return heat.detach().numpy().astype(np.float32)


METHODS: Mapping[str, Callable[[Question], Heat]] = {
    "occlusion": occlusion,
    "gradcam": gradcam,
    "lime": lime,
    "guided_backprop": guided_backprop,
    "deconvolution": deconvolution,
}
