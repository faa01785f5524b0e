"""The workstation's half: data sets in, model files out. Never imports rclpy.

data/ ─► augment ─► nets/ and tasks/ (Lightning) ─► export (parity gate) ─► models/*.onnx ─► evaluate

Start with ``python -m training --help``.
"""

import perception  # noqa: F401  first of all: it keeps ONNX Runtime from telling what it does
