"""What training learns, as arrays that fit into a weights file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
from scipy import ndimage

from mood.calibration import RareValues
from mood.methods.normative.statistics import Lattice, Usual, lattice
from mood.networks.efficientnet import CHANNELS

DISTANCES = ("near", "diag")
LEVELS = 255
FEWEST_TISSUE = 1e-6


@dataclass(frozen=True, eq=False)
class Expected:
    """What the logarithm of a distance, less the scan's own median, is at each position of a healthy scan.

    Attributes
    ----------
    mean, deviation : (P,) float32 ndarray
    rare : RareValues
        Of the standardised and smoothed distances.
    """

    mean: np.ndarray
    deviation: np.ndarray
    rare: RareValues


@dataclass(frozen=True, eq=False)
class Model:
    """Everything that a scan is compared with.

    Attributes
    ----------
    spread_mm : three floats
        Of the tissue along each axis, for a region without a template image.
    places : Lattice
    projection : (channels, K) float32 ndarray
        From features to components.
    offset : (K,) float32 ndarray
        Taken off after it.
    usual : Usual
    expected : Expected by name of the distance
    """

    spread_mm: tuple[float, ...]
    places: Lattice
    projection: np.ndarray
    offset: np.ndarray
    usual: Usual
    expected: dict[str, Expected]

    def project(self, features: np.ndarray) -> np.ndarray:
        """(N, channels) features as (N, K) components."""
        return features @ self.projection - self.offset

    def log_distances(self, features: np.ndarray, usual: Usual | None = None) -> dict[str, np.ndarray]:
        """Each distance's logarithm less its median over the positions, (P,) float32."""
        usual = usual or self.usual
        found = {"near": usual.near(features, self.places), "diag": usual.diag(features)}
        logs = {name: np.log(np.maximum(values, 1e-6)) for name, values in found.items()}
        return {name: (values - np.median(values)) if values.size else values for name, values in logs.items()}

    def standard(self, name: str, log_distance: np.ndarray) -> np.ndarray:
        """A log distance in standard deviations of healthy scans, on the lattice's grid."""
        expected = self.expected[name]
        return self.places.on_grid((log_distance - expected.mean) / expected.deviation)

    def rounded(self) -> Model:
        """As it will be once it has been written and read."""
        mean, log_variance = (unpacked(*packed(values)) for values in (self.usual.mean, _log(self.usual.variance)))
        whitening = self.usual.whitening.astype(np.float16).astype(np.float32)
        return replace(
            self,
            projection=self.projection.astype(np.float16).astype(np.float32),
            usual=Usual(mean, np.exp(log_variance), whitening),
            expected={
                name: replace(one, mean=_half(one.mean), deviation=_half(one.deviation))
                for name, one in self.expected.items()
            },
        )

    def save(self, path: Path) -> None:
        with h5py.File(path, "w") as file:
            file["spread_mm"], file["offset"] = np.array(self.spread_mm), self.offset
            file["projection"] = self.projection
            tissue = self.places.on_grid(np.ones(len(self.places.chosen), np.float32))
            _dataset(file, "tissue", tissue.astype(np.uint8))
            for name, values in (("mean", self.usual.mean), ("log_variance", _log(self.usual.variance))):
                codes, low, step = packed(values)
                _dataset(file, name, codes)
                file[f"{name}_low"], file[f"{name}_step"] = low, step
            rows, columns = np.tril_indices(self.usual.whitening.shape[-1])
            _dataset(file, "whitening", self.usual.whitening[:, rows, columns].astype(np.float16))
            for name, one in self.expected.items():
                _dataset(file, f"{name}_mean", one.mean.astype(np.float16))
                _dataset(file, f"{name}_deviation", one.deviation.astype(np.float16))
                file[f"{name}_rare"] = np.array(one.rare.values)

    @classmethod
    def load(cls, path: Path) -> Model:
        with h5py.File(path, "r") as file:
            arrays = {name: item[()] for name, item in file.items()}
        mean, log_variance = (
            unpacked(*(arrays[f"{name}{part}"] for part in ("", "_low", "_step"))) for name in ("mean", "log_variance")
        )
        expected = {
            name: Expected(
                arrays[f"{name}_mean"].astype(np.float32),
                arrays[f"{name}_deviation"].astype(np.float32),
                RareValues(tuple(arrays[f"{name}_rare"].tolist())),
            )
            for name in DISTANCES
        }
        return cls(
            tuple(arrays["spread_mm"].tolist()),
            lattice(arrays["tissue"] > 0),
            arrays["projection"].astype(np.float32),
            arrays["offset"],
            Usual(mean, np.exp(log_variance), _lower(arrays["whitening"], mean.shape[1])),
            expected,
        )


def untrained(shape: tuple[int, int, int]) -> Model:
    """A model that knows no position."""
    places = lattice(np.zeros(shape, bool))
    nothing = np.zeros(0, np.float32)
    usual = Usual(np.zeros((0, 1), np.float32), np.zeros((0, 1), np.float32), np.zeros((0, 1, 1), np.float32))
    expected = {name: Expected(nothing, nothing, RareValues.of(nothing)) for name in DISTANCES}
    projection, offset = np.zeros((sum(CHANNELS), 1), np.float32), np.zeros(1, np.float32)
    return Model((0.0, 0.0, 0.0), places, projection, offset, usual, expected)


def blurred(values: np.ndarray, sigma: Sequence[float]) -> np.ndarray:
    """Values on the lattice's grid, smoothed; beyond the lattice all is as expected, and so its rim counts less."""
    return ndimage.gaussian_filter(values, sigma, mode="constant")


def within(values: np.ndarray, places: Lattice, sigma: Sequence[float] | float) -> np.ndarray:
    """Values on the lattice's grid, averaged among its positions alone; 0 elsewhere."""
    inside = places.on_grid(np.ones(len(places.chosen), np.float32))
    share = np.maximum(ndimage.gaussian_filter(inside, sigma, mode="constant"), FEWEST_TISSUE)
    return inside * ndimage.gaussian_filter(values * inside, sigma, mode="constant") / share


def packed(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(P, K) values as bytes, with the lowest value and the step of each column."""
    low, high = (values.min(axis=0), values.max(axis=0)) if len(values) else np.zeros((2, values.shape[1]), np.float32)
    step = np.maximum((high - low) / LEVELS, 1e-12).astype(np.float32)
    return np.round((values - low) / step).astype(np.uint8), low.astype(np.float32), step


def unpacked(codes: np.ndarray, low: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The values that `packed` described, to within half a step."""
    return codes * step + low


def _log(variance: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(variance, 1e-6))


def _half(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16).astype(np.float32)


def _lower(rows: np.ndarray, size: int) -> np.ndarray:
    whitening = np.zeros((len(rows), size, size), np.float32)
    i, j = np.tril_indices(size)
    whitening[:, i, j] = rows
    return whitening


def _dataset(file: h5py.File, name: str, data: np.ndarray) -> None:
    file.create_dataset(name, data=data, compression="gzip" if data.size else None, shuffle=bool(data.size) or None)
