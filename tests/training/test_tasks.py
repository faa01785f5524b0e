"""What training optimises and measures does what its name says."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from torch import nn

from perception.spec import ModelSpec, Provenance
from perception.tasks import UNLABELLED
from training.checkpoint import load_matching, save_weights
from training.datasets.images import DataError
from training.graph import wheel
from training.losses import batch_hard_triplet, class_weights, soft_iou
from training.optimizer import Muon, inner_convolutions
from training.segmentation.task import MaskTask
from training.signs.net import SignNet
from training.signs.task import SignTask, known_logit
from training.split import from_metadata


def test_known_needs_one_clear_sign() -> None:
    clear, torn, none = known_logit(
        torch.tensor([[9.0, 0.0, 0.0, 0.0], [9.0, 9.0, 0.0, 0.0], [0.0, 0.0, 0.0, 9.0]])
    )
    assert clear > 7  # one sign and nothing beside it
    assert torn == pytest.approx(0.0, abs=0.01)  # two signs at once are none that is known
    assert none < -7


def test_soft_iou_is_the_iou_of_sure_answers_and_skips_what_does_not_count() -> None:
    ids = torch.tensor([[[0, 0, 1, 1, UNLABELLED]]])
    sure = torch.nn.functional.one_hot(torch.tensor([[[0, 1, 1, 1, 0]]]), 3).movedim(-1, 1) * 100.0
    # Class 0: one of two places found. Class 1: both, and one too many. Class 2 does not occur.
    assert soft_iou(sure, ids).item() == pytest.approx(1 - (1 / 2 + 2 / 3) / 2)
    surer = (2 * sure).requires_grad_()  # the probability of class 2 is nothing at all
    soft_iou(surer, ids).backward()
    assert surer.grad.isfinite().all()


def test_rare_classes_weigh_more() -> None:
    weights = class_weights(torch.tensor([0.0, 0.01, 0.99]))
    assert weights[0] / weights[2] == pytest.approx(math.log(2.09) / math.log(1.10))
    assert weights[0] > weights[1] > weights[2]


def test_triplets_are_content_when_classes_lie_apart() -> None:
    apart = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    mixed = apart[[0, 2, 1, 3]]
    ids = torch.tensor([0, 0, 1, 1])
    assert batch_hard_triplet(apart, ids).item() == 0.0
    assert batch_hard_triplet(mixed, ids).item() > 1.0


@pytest.mark.parametrize("doubt", [100.0, 2.0])
def test_an_attack_stays_within_its_radius_and_misleads_sure_nets_too(doubt: float) -> None:
    torch.manual_seed(0)
    task = SignTask(attack=4.0)
    task.net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    task.net[1].weight.data /= doubt
    frames = torch.rand(16, 3, 32, 32) * 255
    ids = task(frames).argmax(dim=1)
    attacked = task.attacked(frames, ids, steps=20)
    assert (attacked - frames).abs().max() <= 4.0 + 1e-3
    assert 0 <= attacked.min() <= attacked.max() <= 255

    def loss(x: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(task(x), ids)

    with torch.no_grad():
        noise = (frames + 4.0 * torch.randn_like(frames).sign()).clamp(0, 255)
        assert loss(attacked) - loss(frames) > 5 * abs(loss(noise) - loss(frames))
        assert (task(attacked).argmax(dim=1) == ids).float().mean() < 0.5


def test_an_attack_on_signs_alone_finds_no_way_out_in_no_sign() -> None:
    torch.manual_seed(0)
    task = SignTask(attack=4.0)
    task.net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    task.net[1].weight.data[2] *= 5.0  # "no known sign" is the easiest to reach
    frames, ids = torch.rand(16, 3, 32, 32) * 255, torch.arange(16) % 2

    def right(classes: int | None) -> float:
        attacked = task.attacked(frames, ids, steps=20, classes=classes)
        return float((task(attacked)[:, :2].argmax(dim=1) == ids).float().mean())

    assert right(2) < right(None)


def test_a_share_of_each_batch_stays_clean() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3 * 8 * 8, 4)

        def pooled(self, frames: torch.Tensor) -> torch.Tensor:
            self.learnt = frames
            return frames.flatten(1)

        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            return self.head(self.pooled(frames))

    task = SignTask(attack=4.0, attack_share=0.5)
    task.net, task.teachers, task.log = Net(), [], lambda *args, **kwargs: None
    frames = torch.rand(4, 3, 8, 8) * 255
    task.training_step((frames, torch.tensor([0, 1, 2, 3])), 0)
    changed = (task.net.learnt != frames).flatten(1).any(dim=1)
    assert changed.tolist() == [True, True, False, False]


def test_weights_start_another_net_where_they_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained, other = SignNet(5), SignNet(3)
    spec = ModelSpec("signs", tuple("abcde"), wheel(5), (48, 48))
    save_weights(trained, tmp_path / "signs.safetensors", spec)
    load_matching(other, tmp_path / "signs.safetensors", labels="abc", last="head.1")
    torch.testing.assert_close(other.features[0].weight, trained.features[0].weight, rtol=1e-3, atol=1e-6)
    assert "anew: head.1.bias, head.1.weight\n" in capsys.readouterr().out

    arguments = {"last": "head.1", "keeps_last_row": True}
    load_matching(other, tmp_path / "signs.safetensors", labels="abc", **arguments)
    torch.testing.assert_close(other.head[1].weight[-1], trained.head[1].weight[-1], rtol=1e-3, atol=1e-6)
    assert "head.1.bias but its last row, head.1.weight but its last row\n" in capsys.readouterr().out

    # As many classes, but others: what it knew of the old ones would be in the way.
    other = SignNet(5)
    load_matching(other, tmp_path / "signs.safetensors", labels="vwxyz", **arguments)
    assert "anew: head.1.bias but its last row" in capsys.readouterr().out
    assert (other.head[1].weight[0] - trained.head[1].weight[0]).abs().max() > 1e-3
    load_matching(other, tmp_path / "signs.safetensors", labels="abcde", **arguments)
    torch.testing.assert_close(other.head[1].weight, trained.head[1].weight, rtol=1e-3, atol=1e-6)
    assert "anew" not in capsys.readouterr().out

    for net in (nn.Linear(2, 2), SignNet(5, width=2.0), SignNet(3, width=2.0)):
        with pytest.raises(DataError, match="another net"):
            load_matching(net, tmp_path / "signs.safetensors", labels="abc", last="head.1")
    with pytest.raises(DataError, match=r"fit and export write one beside the \.onnx"):
        load_matching(other, tmp_path / "missing.safetensors", labels="abc", last="head.1")


@pytest.mark.parametrize(
    ("provenance", "warns"),
    [
        (Provenance("GTSRB", "the same"), False),
        (Provenance("GTSRB", "another"), True),
        (Provenance("GTSRB", "the same", learnt_val=True), True),
        (Provenance("signs of my own", "another", learnt_val=True), False),
        (Provenance("the same in another folder", "the same", learnt_val=True), True),
        (Provenance("GTSRB"), False),  # an older file
    ],
)
def test_weights_that_have_learnt_what_validates_are_told(
    provenance: Provenance, warns: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = ModelSpec("signs", tuple("abc"), wheel(3), (48, 48), provenance=provenance)
    save_weights(SignNet(3), tmp_path / "signs.safetensors", spec)
    for train_on_val in (False, True):
        task = SignTask(start=str(tmp_path / "signs.safetensors"))
        data = SimpleNamespace(labels="abc", signs=SimpleNamespace(name="GTSRB"), kept_aside="the same")
        data.train_on_val = train_on_val
        task.trainer = SimpleNamespace(datamodule=data)
        task.configure_model()
        said = "these weights have learnt from" in capsys.readouterr().out
        assert said is task.start_learnt_val is (warns and not train_on_val)


@pytest.mark.parametrize("name", ["signs", "segnet"])
def test_the_shipped_weights_tell_what_they_learnt_from(name: str) -> None:
    with safe_open(Path(__file__).parents[2] / "models" / f"{name}.safetensors", "pt") as file:
        provenance = from_metadata(file.metadata())
    assert provenance.data_set and provenance.kept_aside and not provenance.learnt_val


def test_a_net_learns_its_teachers_opinion() -> None:
    torch.manual_seed(0)
    teacher, student = SignTask(), SignTask(distillation=1.0)
    for task in (teacher, student):
        task._make(("a", "b", "c"))
    student.teachers, student.log = [teacher.eval().requires_grad_(False)], lambda *args, **kwargs: None
    batch = torch.rand(8, 3, 32, 32) * 255, torch.zeros(8, dtype=torch.long)
    student.eval()
    apart = student.training_step(batch, 0)
    apart.backward()
    assert apart > 0 and student.net.features[0].weight.grad.abs().sum() > 0
    student.net.load_state_dict(teacher.net.state_dict())
    assert student.training_step(batch, 0).item() == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("net", ["SegNetCompact", "SegNet"])
def test_a_segmentation_net_starts_with_a_last_layer_for_its_own_classes(
    net: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained, palette = MaskTask(net=net), ((0, 0, 0), (9, 9, 9))
    trained._make(("Sky", "Road"), palette)
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
                masks=SimpleNamespace(name="Town"),
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
    task._make(("Sky", "Road"), ((0, 0, 0), (9, 9, 9)))
    task.log = lambda *args, **kwargs: None
    loss = task.training_step((torch.rand(2, 3, 64, 64), torch.full((2, 64, 64), UNLABELLED)), 0)
    loss.backward()
    assert loss.item() == 0.0
    assert all(p.grad.isfinite().all() for p in task.parameters() if p.grad is not None)
    ids = torch.full((1, 64, 64), UNLABELLED)
    assert soft_iou(torch.rand(1, 2, 64, 64), ids).item() == 0.0


@pytest.mark.parametrize("size", [32, 48, 96])
def test_features_are_weighed_by_their_place_at_any_size(size: int) -> None:
    net = SignNet(5)
    frames = torch.rand(2, 3, size, size) * 255
    found = torch.rand(2, 128, size // 8, size // 8)
    net.features.register_forward_hook(lambda *_: found)
    torch.testing.assert_close(net.pooled(frames), found.mean(dim=(2, 3)), rtol=0.1, atol=0.0)
    with torch.no_grad():
        net.places.weight[..., :3] = 0.0
    before = net.pooled(frames)
    found[..., 0] = 9.0
    assert torch.equal(net.pooled(frames), before)  # the left does not count any more
    found[..., -1] = 9.0
    assert (net.pooled(frames) > before).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_muon_follows_rare_directions_as_fast_as_frequent_ones(dtype: torch.dtype) -> None:
    net = SignNet(5)
    inner = inner_convolutions(net)
    assert len(inner) == 5  # all but the stem and the depthwise one; the last layer is linear
    weight = net.features[3].weight
    assert weight in inner
    before, head = weight.detach().clone(), net.head[1].weight.detach().clone()
    rows, columns = len(weight), weight[0].numel()
    u, _, v = torch.linalg.svd(torch.randn(rows, columns), full_matrices=False)
    strength = torch.logspace(0, -2, rows)  # the strongest direction 100 times the weakest
    groups = [
        {"params": [weight], "orthogonal": True, "weight_decay": 0.0},
        {"params": [net.head[1].weight], "orthogonal": False, "weight_decay": 0.0},
    ]
    optimizer = Muon(groups, lr=0.01, dtype=dtype)
    weight.grad = (u * strength @ v).view_as(weight)
    net.head[1].weight.grad = torch.ones_like(head)
    optimizer.step()
    moved = (before - weight.detach()).view(rows, columns)
    # Down the gradient, and each of its directions about as far.
    step = 0.01 * 0.2 * max(rows, columns) ** 0.5
    along = (u.T @ moved @ v.T).diagonal() / step
    assert along.min() > 0.3 and along.max() < 1.3
    torch.testing.assert_close(net.head[1].weight.detach(), head - 0.01)

    # Momentum goes on without a gradient; what decays is the weight.
    middle = weight.detach().clone()
    for group in optimizer.param_groups:
        group["weight_decay"] = 0.5
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    moved = (middle * (1 - 0.01 * 0.5) - weight.detach()).view(rows, columns)
    along = (u.T @ moved @ v.T).diagonal() / step
    assert along.min() > 0.3 and along.max() < 1.3


def test_validation_measures_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two signs, a street that is none, and a sign that nobody taught; an attack makes all the first sign."""
    logits = torch.tensor([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0], [8.0, 7.9, 0.0]])
    task, logged = SignTask(attack=4.0), {}
    task._make(("a", "b"))
    task.trainer = SimpleNamespace(datamodule=SimpleNamespace(background="street", hold_out=("c",)))
    task.log = lambda name, metric, **_: logged.update({name: metric})
    # The frames say which they are.
    monkeypatch.setattr(SignTask, "forward", lambda _, frames: logits[frames[:, 0, 0, 0].long()])

    def attacked(task: SignTask, frames: torch.Tensor, ids: torch.Tensor, **options: int) -> torch.Tensor:
        assert options == {"steps": 20, "classes": 2}
        return torch.zeros_like(frames)

    monkeypatch.setattr(SignTask, "attacked", attacked)
    frames = torch.arange(4.0)[:, None, None, None].expand(4, 3, 8, 8)
    task.validation_step((frames, torch.tensor([0, 1, 2, 3])), 0)
    found = {name: float(metric.compute()) for name, metric in logged.items()}
    assert found == {
        "val_accuracy": 1.0,
        "val_robust_accuracy": 0.5,
        "val_known_auroc": 1.0,
        "val_unseen_auroc": 1.0,
    }
