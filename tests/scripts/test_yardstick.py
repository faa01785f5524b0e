from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from scripts.yardstick import Yardstick, export, timed

MODELS = Path(__file__).resolve().parents[2] / "models"


def test_it_has_the_size_of_the_published_net() -> None:
    net = Yardstick().eval()
    assert 1.70e6 < sum(weight.numel() for weight in net.parameters()) < 1.85e6
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        boxes = net(torch.zeros(1, 640, 640, 3, dtype=torch.uint8))
    assert boxes.shape == (1, 3 * (80**2 + 40**2 + 20**2), 6)
    assert 1.9e9 < counter.get_total_flops() / 2 < 2.3e9  # published: 4.5 GFLOP with 80 classes


def test_both_are_timed_at_sizes_that_each_can_take(tmp_path: Path) -> None:
    export(tmp_path / "yardstick.onnx")
    files = {"yardstick": tmp_path / "yardstick.onnx", "ours": MODELS / "sign_detector.onnx"}
    times = timed(files, (100, 140), threads=1, turns=2)
    assert {name: len(values) for name, values in times.items()} == {"yardstick": 2, "ours": 2}
    assert all((values > 0).all() for values in times.values())
