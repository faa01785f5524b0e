"""The workstation's half: data sets in, model files out. Never imports rclpy.

datasets/ ─► signs/, segmentation/ (data, net, task) ─► fit ─► export (parity gate) ─► models/*.onnx
                                                models/*.onnx ─► quantize, evaluate

``tasks.py`` lists the tasks, each of which has a folder with the same file names. ``split.py`` knows who has
learnt from what.

Start with ``python -m training --help``.
"""

import perception  # noqa: F401  first of all: it silences ONNX Runtime
