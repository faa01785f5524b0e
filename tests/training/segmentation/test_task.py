"""A segmentation net learns as its task says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from perception.spec import ModelSpec, Provenance
from perception.tasks import UNLABELLED
from training.checkpoint import save_weights
from training.losses import soft_iou
from training.segmentation.task import MaskTask


@pytest.mark.parametrize("net", ["SegNetCompact", "SegNet"])
def test_a_segmentation_net_starts_with_a_last_layer_for_its_own_classes(
    net: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained, palette = MaskTask(net=net), ((0, 0, 0), (9, 9, 9))
    trained.make_net(("Sky", "Road"), palette)
    spec = ModelSpec(
        "segmentation", ("Sky", "Road"), palette, (64, 64), provenance=Provenance("Town", learnt_val=True)
    )
    save_weights(trained.net, tmp_path / "net.safetensors", spec)
    for labels in (("Sky", "Road"), ("Cat", "Dog")):
        task = MaskTask(net=net, start=str(tmp_path / "net.safetensors"))
        task.trainer = SimpleNamespace(
            datamodule=SimpleNamespace(
                labels=labels,
                palette=palette,
                data_set="Town",
                kept_aside="",
                train_on_val=False,
            )
        )
        task.configure_model()
        before, after = trained.net.classify.weight, task.net.classify.weight
        assert torch.allclose(before, after, atol=1e-3) is (labels == ("Sky", "Road"))
    said = capsys.readouterr().out
    assert said.count("anew") == 1
    assert said.count("have learnt from pictures that validate here") == 2


def test_crops_without_a_labelled_pixel_teach_nothing() -> None:
    task = MaskTask()
    task.make_net(("Sky", "Road"), ((0, 0, 0), (9, 9, 9)))
    task.log = lambda *args, **kwargs: None
    loss = task.training_step((torch.rand(2, 3, 64, 64), torch.full((2, 64, 64), UNLABELLED)), 0)
    loss.backward()
    assert loss.item() == 0.0
    assert all(p.grad.isfinite().all() for p in task.parameters() if p.grad is not None)
    ids = torch.full((1, 64, 64), UNLABELLED)
    assert soft_iou(torch.rand(1, 2, 64, 64), ids).item() == 0.0
