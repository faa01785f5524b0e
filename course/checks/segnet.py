"""Checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

CHECKS: Mapping[str, Callable[..., None]] = {}
