"""One file for each command of ``python -m training``: its options, and what it prints."""

from __future__ import annotations

import argparse
from typing import TypeAlias

SubParsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

RESUME = "go on with a run of the same options that was interrupted in the folder of --out"
