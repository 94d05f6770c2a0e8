"""A distance over time: a Kalman filter of its logarithm that is steady against outliers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

AGILITY = 0.5
"""Spectral density of the acceleration of ln(distance), 1/s^3: somebody at 3 m who starts to walk
(1.4 m/s within half a second) changes ln(distance) by about so much."""

NOISE_SHARE = 0.25
"""Standard deviation of one measurement from frame to frame, as a share of its uncertainty: most of
an uncertainty is the same in all frames."""

LEAST_NOISE = 0.004
"""Smallest standard deviation of one measurement of ln(distance)."""

OUTLIER = 2.0
"""Innovations beyond so many standard deviations count as if they were of that size (Huber)."""

_SPEED = 0.3
"""Standard deviation of the rate of ln(distance) before it is known, 1/s."""


class DistanceFilter:
    """The logarithm of a distance and its rate, with constant rate as the model.

    A steady walk is followed without lag, because the rate is estimated too.

    Args:
        distance: the first measurement, metres (or any other unit, above 0).
        uncertainty: half of the 68 % interval of ln(distance).
    """

    def __init__(self, distance: float, uncertainty: float):
        self._state: npt.NDArray[np.float64] = np.array([np.log(distance), 0.0])
        self._covariance = np.diag([_variance(uncertainty), _SPEED**2])

    @property
    def distance(self) -> float:
        """The distance now."""
        return float(np.exp(self._state[0]))

    def update(self, distance: float, uncertainty: float, seconds: float) -> float:
        """Take the next measurement; give the distance now.

        Args:
            distance: measured, above 0.
            uncertainty: half of the 68 % interval of its logarithm.
            seconds: since the last measurement.
        """
        seconds = max(seconds, 0.0)
        step = np.array([[1.0, seconds], [0.0, 1.0]])
        cubic, square = seconds**3 / 3, seconds**2 / 2
        self._covariance = step @ self._covariance @ step.T
        self._covariance += AGILITY * np.array([[cubic, square], [square, seconds]])
        self._state = step @ self._state
        deviation = np.sqrt(self._covariance[0, 0] + _variance(uncertainty))
        innovation = np.log(distance) - self._state[0]
        innovation = float(np.clip(innovation, -OUTLIER * deviation, OUTLIER * deviation))
        gain = self._covariance[:, 0] / deviation**2
        self._state = self._state + gain * innovation
        self._covariance -= np.outer(gain, self._covariance[0])
        return self.distance


def _variance(uncertainty: float) -> float:
    return float(max(NOISE_SHARE * uncertainty, LEAST_NOISE) ** 2)
