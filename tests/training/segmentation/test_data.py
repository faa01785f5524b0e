"""Street pictures with label images."""

from __future__ import annotations

from pathlib import Path

from training.segmentation import data as segmentation


def test_a_last_model_may_learn_from_the_validation_pictures(camvid: Path) -> None:
    apart, together = (segmentation.MaskData(str(camvid), train_on_val=seen) for seen in (False, True))
    apart.setup()
    together.setup()
    assert len(together.train) == len(apart.train) + len(apart.val)
    assert len(together.val) == len(apart.val)
