"""The precision that a device trains in, which is not always the one that the user asked for."""

from __future__ import annotations

import torch

from training import internals
from training.datasets.images import DataError

# Lightning's names and numbers for precisions.
PRECISIONS = {
    "32-true": "32-true",
    "32": "32-true",
    "bf16-mixed": "bf16-mixed",
    "bf16": "bf16-mixed",
    "16-mixed": "16-mixed",
    "16": "16-mixed",
}


def usable_precision(wanted: str, *, on_cpu: bool) -> str:
    """The precision to train in, which is another one if this device would emulate the wanted one.

    Args:
        wanted: as Lightning names it.
        on_cpu: training runs on the processor.

    Raises:
        DataError: it would keep the weights in another precision than fp32.
    """
    precision = PRECISIONS.get(wanted)
    if precision is None:
        raise DataError(
            f"--trainer.precision {wanted} would keep the weights in another precision than fp32; choose one "
            f"of {', '.join(sorted({*PRECISIONS.values()}))}"
        )
    if on_cpu:
        # Lightning itself makes bf16-mixed of 16-mixed here.
        if precision != "32-true" and not internals.cpu_computes_in_bf16():
            print("this processor does not compute in bf16: training in full precision (32-true) instead")
            return "32-true"
    elif precision == "bf16-mixed" and not gpu_computes_in_bf16():
        print("this GPU does not compute in bf16: training in half precision (16-mixed) instead")
        return "16-mixed"
    return precision


def gpu_computes_in_bf16() -> bool:
    """Whether an NVIDIA GPU has instructions for bf16, as from Ampere on; on others torch emulates it."""
    return not torch.cuda.is_available() or torch.cuda.is_bf16_supported(including_emulation=False)
