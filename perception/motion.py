"""Motion: where a box will be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perception.boxes import Box

Vector = NDArray[np.float64]

NEAREST = 0.5  # share of its distance that a sign comes nearer between two frames; more is a wrong estimate


def to_state(box: Box) -> Vector:
    """Centre x and y in pixels, and the logarithms of width and height: (4,)."""
    x1, y1, x2, y2 = box
    return np.array(((x1 + x2) / 2, (y1 + y2) / 2, np.log(x2 - x1), np.log(y2 - y1)))


def to_box(state: Vector) -> Box:
    """The corners of a state, (4,)."""
    x, y, log_width, log_height = state.tolist()
    half_width, half_height = np.exp(log_width) / 2, np.exp(log_height) / 2
    return (
        float(x - half_width),
        float(y - half_height),
        float(x + half_width),
        float(y + half_height),
    )


class Approach:
    """Kalman filters of a box that is approached at a constant speed: four positions, each with its velocity.

    The four do not depend on each other, so each has a two-by-two covariance, and every step is closed form
    (Bar-Shalom et al. 2001, section 6.2.2: white noise acceleration). In an approach, velocities in the
    picture are not constant: size and offset go with one over the distance. As the growth of the log size is
    speed over distance, the state says how they change.

    Args:
        position: (4,), as measured.
        noise: (4,) variance of that measurement.
        speed: (4,) variance of the unknown velocity, per second squared.

    Attributes:
        position: (4,) the estimate.
        velocity: (4,) per second.
        variance: (4,) of the position.
    """

    def __init__(self, position: Vector, noise: Vector, speed: Vector) -> None:
        self.position, self.velocity = position, np.zeros(4)
        self.variance, self._both, self._speed = noise, np.zeros(4), speed

    def predict(self, seconds: float, acceleration: Vector) -> None:
        """Move on in time; ``acceleration`` is (4,), the noise density of each velocity per second."""
        growth = float(self.velocity[2:].mean())
        nearer = 1.0 / (1.0 - min(max(growth * seconds, -1.0), NEAREST))
        self.position = self.position + self.velocity * seconds * (nearer, nearer, 1.0, 1.0)
        self.position[2:] += np.log(nearer) - growth * seconds
        self.velocity = self.velocity * (nearer**2, nearer**2, 1.0, 1.0)
        self.velocity[2:] += growth * (nearer - 1.0)
        self.variance = (
            self.variance
            + 2 * seconds * self._both
            + seconds**2 * self._speed
            + acceleration * (seconds**3 / 3)
        )
        self._both = self._both + seconds * self._speed + acceleration * (seconds**2 / 2)
        self._speed = self._speed + acceleration * seconds

    def correct(self, position: Vector, noise: Vector) -> None:
        """Take in a measurement, (4,), with its variance, (4,)."""
        total = self.variance + noise
        gain, speed_gain = self.variance / total, self._both / total
        error = position - self.position
        self.position = self.position + gain * error
        self.velocity = self.velocity + speed_gain * error
        self._speed = self._speed - speed_gain * self._both
        self._both = (1 - gain) * self._both
        self.variance = (1 - gain) * self.variance
