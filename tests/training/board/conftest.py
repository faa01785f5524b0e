"""Trainings of all tasks."""

from tests.training.detection.conftest import trained_boxes

__all__ = ["trained_boxes"]
