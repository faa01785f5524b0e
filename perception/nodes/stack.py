"""The stack: the nodes of all tasks in one process, which receives and decodes each frame once.

                                     ┌► signs' worker
image_raw ─► one subscription ─► Picture              the topics, parameters and states of each node are
                                     └► segmentation's worker         those that it has in a process alone
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from perception.nodes.process import run_together
from perception.tasks import resolve, shipped


def main(args: Sequence[str] | None = None) -> int:
    """Entry point of the executable ``stack``."""
    return run_together("stack", [resolve(task.node) for task in shipped().values()], args)


if __name__ == "__main__":
    sys.exit(main())
