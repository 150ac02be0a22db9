"""What a method is: settings in, a map out. A new method is one file and one line in the registry."""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from mood.calibration import Calibration
from mood.conform import ConformedScan
from mood.engines import FALLBACK, QUANTISED, Engine
from mood.errors import UsageError, WeightsError
from mood.methods import scoring
from mood.methods.settings import Settings
from mood.regions import Grid, Region

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class UsedNetwork:
    """A network that a method predicts with, and what another program has to know to use it.

    Attributes
    ----------
    network : keras.Model
    shown : str
        What its input is made of.
    answer : str
        What its output means, and how it becomes a map.
    """

    network: keras.Model
    shown: str
    answer: str


class Method(ABC):
    """A trained or trainable detector for one region.

    Attributes
    ----------
    name : str
        As in the registry, on the command line and in the names of weights folders.
    """

    name: ClassVar[str]
    settings_type: ClassVar[type[Settings]]
    learns_from_unlabelled: ClassVar[bool] = False  # whether `unlabelled` means anything to it
    shares_batches: ClassVar[bool] = False  # whether `train_epoch` steps by `mood.engines.devices.train_on_batch`
    trains_on_native: ClassVar[bool] = False  # whether `train_epoch` gets scans at their native resolution
    sees_finer: ClassVar[bool] = False  # whether its weights work on finer grids than their own, by `on_grid`
    trained_kinds: tuple[str, ...] = ()  # kinds of benchmark outliers that training holds something like
    calibration: Calibration | None = None  # stored with the weights
    engine: Engine = FALLBACK  # runs its networks; set before the first map
    unlabelled: Sequence[np.ndarray] = ()  # scans on `grid` that may hold anything; set before training

    def __init__(self, region: Region, settings: Settings) -> None:
        self.region, self.settings = region, settings

    @classmethod
    @abstractmethod
    def default_settings(cls, region: Region) -> Settings:
        """The published settings for a region.

        Parameters
        ----------
        region : Region
            One of `mood.regions.REGIONS`.
        """

    @abstractmethod
    def score_volume(self, scan: np.ndarray) -> np.ndarray:
        """The one seam: how abnormal each voxel is.

        Parameters
        ----------
        scan : (X, Y, Z) float32 ndarray in [0, 1]
            On `grid`, RAS axes. Any shape works; voxels that are not finite count as background.

        Returns
        -------
        (X, Y, Z) float32 ndarray in [0, 1]
            Of the scan's shape, finite, higher = more abnormal.
        """

    def score_scan(self, scan: ConformedScan) -> np.ndarray:
        """The map of a scan on `grid`; for methods that ask more of a scan than its voxels, such as its voxel size.

        Parameters
        ----------
        scan : ConformedScan
            On `grid`.
        """
        return self.score_volume(scan.data)

    def score_with_members(self, scan: ConformedScan) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The map of a scan on `grid`, and where each member, by name, finds what 1 healthy voxel in 100 reaches.

        Parameters
        ----------
        scan : ConformedScan
            On `grid`.
        """
        return self.score_scan(scan), {}

    def separate_maps(self, scan: np.ndarray) -> dict[str, np.ndarray]:
        """The maps that an ensemble joins: the only one, by no name, or several by names where the method has such.

        Parameters
        ----------
        scan : (X, Y, Z) float32 ndarray in [0, 1]
            As of `score_volume`.
        """
        return {"": self.score_volume(scan)}

    def further_grids(self, spacing_mm: tuple[float, ...]) -> tuple[Grid, ...]:
        """Grids that `score_scan` wants a scan on beside `grid`.

        Parameters
        ----------
        spacing_mm : three floats
            Of the scan's own voxels.
        """
        return ()

    @abstractmethod
    def train_epoch(self, scans: Sequence[Any], rng: np.random.Generator) -> Iterator[dict[str, float]]:
        """Pass over the training scans once; yields the losses after each step.

        Parameters
        ----------
        scans : sequence of (X, Y, Z) float ndarray in [0, 1], or of NativeScan
            On `grid`, or at their native resolution where the method `trains_on_native`; may live on disk.
        rng : numpy.random.Generator
            Where the draws of this epoch come from.

        Yields
        ------
        dict of str to float
            `loss`, and others by name; a step that yields `checked` as well asks for a check on the
            held-out scans.
        """

    @property
    def finished(self) -> bool:
        """Whether training has come to its own end."""
        return False

    @property
    def settled(self) -> bool:
        """Whether weights of now are of the kind that training is after; any such beat those before."""
        return True

    def draw_check(self, path: Path) -> None:  # noqa: B027 - most methods have nothing to show
        """Write a PNG picture of the state of training, if there is one to write.

        Parameters
        ----------
        path : pathlib.Path
            Where to.
        """

    @abstractmethod
    def save_weights(self, path: Path) -> None:
        """Write everything that prediction needs to one HDF5 file.

        Parameters
        ----------
        path : pathlib.Path
            Ends in `.weights.h5`.
        """

    @abstractmethod
    def load_weights(self, path: Path) -> None:
        """Read what `save_weights` wrote."""

    def networks(self) -> dict[str, UsedNetwork]:
        """The networks that prediction runs, by the part they play; none for a method that has none."""
        return {}

    def use_graphs(self, graphs: dict[str, list[Path]]) -> None:
        """Predict with quantised graphs, by the part they stand for; `UsageError` for a method without such a form."""
        fix = "Leave out --precision, or choose another method"
        raise UsageError(f"method '{self.name}' does not run as {QUANTISED}", fix=fix)

    def save_state(self, path: Path) -> None:
        """Write everything that going on with training needs to one HDF5 file."""
        self.save_weights(path)

    def load_state(self, path: Path) -> None:
        """Read what `save_state` wrote."""
        self.load_weights(path)

    def on_grid(self, grid: Grid) -> Self:
        """The same trained method on another grid.

        Parameters
        ----------
        grid : Grid
            With voxels that its weights can make something of.
        """
        other = copy.copy(self)
        other.settings = dataclasses.replace(self.settings, grid_shape=grid.shape, spacing_mm=grid.spacing_mm)
        return other

    @classmethod
    def composed_of(cls, members: list[Method], settings: dict[str, Any] | None = None) -> Method:
        """A method made of trained ones; `WeightsError` for one that is not made of others.

        Parameters
        ----------
        members, settings : list of Method, dict, optional
            In the order of `mood.methods.MEMBERS`; of the method itself, as its weights folder has them.
        """
        raise WeightsError(f"method '{cls.name}' is not composed of others", fix="Name a folder of mood train for it")

    @property
    def grid(self) -> Grid:
        """The shape and voxel size that scans are brought to for it."""
        return Grid(self.settings.grid_shape, self.settings.spacing_mm)

    def sample_score(self, score_map: np.ndarray) -> float:
        """One score in [0, 1] from a map on `grid`; calibrated, the share of healthy scans that score lower.

        Parameters
        ----------
        score_map : (X, Y, Z) float32 ndarray in [0, 1]
            What `score_volume` returned.
        """
        raw = self.raw_sample_score(score_map)
        return raw if self.calibration is None else self.calibration.share_below(raw)

    def raw_sample_score(self, score_map: np.ndarray) -> float:
        """One score in [0, 1] from a map on `grid`, on a scale of the method's own."""
        return scoring.sample_score(score_map, self.settings.slice_axis)


def finite(scan: np.ndarray) -> np.ndarray:
    """`scan` as float32 with what is not finite set to the background's 0."""
    scan = np.asarray(scan, np.float32)
    return scan if np.isfinite(scan).all() else np.nan_to_num(scan, nan=0.0, posinf=0.0, neginf=0.0)
