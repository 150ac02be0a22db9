"""From registered healthy scans to a model.

components of the features of some scans -> features of all, kept on disk -> sums by fold
    -> distances of each fold by what is usual in the others -> what to expect at each position
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from mood.calibration import RareValues
from mood.engines import Forward
from mood.methods.normative.features import Positions, features_at
from mood.methods.normative.model import DISTANCES, Expected, Model, blurred, within
from mood.methods.normative.statistics import Sums, Usual, lattice
from mood.methods.registration.affine import correlation

PCA_SCANS, PCA_POSITIONS = 24, 2000  # that the components are found from: scans, and positions of each
WORSE_FIT = 0.08  # of the correlation with the mean scan, below the median: what is misplaced is not learnt from
AROUND_TEMPLATE = 3  # positions beyond the template's tissue that may still be learnt
SMOOTHED_POSITIONS = 1.0  # standard deviation, of what is expected at each position
SMALLEST_DEVIATION = 0.05  # of the logarithm of a distance

Losses = Generator[dict[str, float], None, Model]


def well_registered(images: Sequence[np.ndarray]) -> list[int]:
    """The scans that look like their mean; one that was misplaced would make everything usual."""
    mean = np.zeros(images[0].shape, np.float32)
    for image in images:
        mean += image.astype(np.float32) / len(images)
    fits = np.array([correlation(image, mean) for image in images])
    return [int(i) for i in np.flatnonzero(fits >= np.median(fits) - WORSE_FIT)]


@dataclass
class Learning:
    """One training.

    Attributes
    ----------
    images : sequence of (X, Y, Z) float ndarray in [0, 1]
        Registered scans on the positions' grid.
    template : (X, Y, Z) float32 ndarray, optional
        What they were registered to, where that is an image.
    mirrored : bool
        Whether their mirror images are subjects as well.
    components, folds : int
    tissue_share : float
    smoothing_mm : dict of float by name of the distance
    """

    images: Sequence[np.ndarray]
    template: np.ndarray | None
    positions: Positions
    run: Forward
    mirrored: bool
    components: int
    folds: int
    tissue_share: float
    smoothing_mm: dict[str, float]

    def go(self, model: Model, rng: np.random.Generator) -> Losses:
        """Yields losses on the way: the mean square of each scan's components, then its held-out distance.

        Parameters
        ----------
        model : Model
            What is known already: the spread of the tissue.
        """
        places = lattice(self._tissue())
        projection, offset = self._components(places.chosen, rng)
        model = replace(model, places=places, projection=projection, offset=offset)
        with tempfile.TemporaryDirectory() as folder:
            shape = (self._count, len(places.chosen), projection.shape[1])
            kept = np.lib.format.open_memmap(Path(folder) / "features.npy", "w+", np.float16, shape)
            sums = yield from self._sums(model, kept)
            total = _added(sums)
            logs = yield from self._held_out(model, kept, sums, total)
        model = replace(model, usual=Usual.of(total, places))
        expected = {name: self._expected(name, logs[name], model) for name in DISTANCES}
        return replace(model, expected=expected).rounded()

    @property
    def _count(self) -> int:
        return len(self.images) * (1 + self.mirrored)

    def _subjects(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Number, fold and image of every subject; a scan and its mirror image share the fold."""
        number = 0
        for i, image in enumerate(self.images):
            image = np.asarray(image, np.float32)
            for subject in (image, image[::-1])[: 1 + self.mirrored]:
                yield number, i % self.folds, subject
                number += 1

    def _tissue(self) -> np.ndarray:
        count = np.zeros(self.positions.shape, np.int32)
        for _, _, image in self._subjects():
            count += self.positions.tissue(image)
        common: np.ndarray = count >= self.tissue_share * self._count
        if self.template is None:
            return common
        around = ndimage.binary_dilation(self.positions.tissue(self.template), iterations=AROUND_TEMPLATE)
        return common & (around | around[::-1])

    def _components(self, chosen: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Projection (channels, K) and offset (K,) of features to the principal components of standardised ones."""
        from sklearn.decomposition import PCA

        some = np.unique(np.linspace(0, len(self.images) - 1, PCA_SCANS).astype(int))
        rows = []
        for i in some:
            places = np.sort(rng.permutation(chosen)[:PCA_POSITIONS])
            image = np.asarray(self.images[i], np.float32)
            rows.append(features_at(image, self.positions, self.run, places, lambda features: features))
        features = np.concatenate(rows)
        count = min(self.components, *features.shape)
        if count == 0:
            return np.zeros((features.shape[1], 1), np.float32), np.zeros(1, np.float32)
        centre, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-3)
        pca = PCA(count, svd_solver="full").fit((features - centre) / scale)
        projection = (pca.components_ / scale).T.astype(np.float16).astype(np.float32)
        return projection, (centre @ projection).astype(np.float32)

    def _sums(self, model: Model, kept: np.ndarray) -> Generator[dict[str, float], None, list[Sums]]:
        sums = [Sums.empty(model.places, kept.shape[2]) for _ in range(self.folds)]
        for number, fold, image in self._subjects():
            features = features_at(image, self.positions, self.run, model.places.chosen, model.project)
            kept[number] = features
            sums[fold].add(features, model.places)
            yield {"loss": float(np.square(features).mean()) if features.size else 0.0}
        return sums

    def _held_out(
        self, model: Model, kept: np.ndarray, sums: list[Sums], total: Sums
    ) -> Generator[dict[str, float], None, dict[str, np.ndarray]]:
        """The distances' logarithms of every subject by what is usual in the other folds, (N, P) each."""
        logs = {name: np.zeros(kept.shape[:2], np.float32) for name in DISTANCES}
        for fold, held_out in enumerate(sums):
            usual = Usual.of(total.without(held_out), model.places)
            for number, own, _ in self._subjects():
                if own == fold:
                    found = model.log_distances(kept[number].astype(np.float32), usual)
                    for name, values in found.items():
                        logs[name][number] = values
                    yield {"loss": float(np.exp(found["near"]).mean()) if found["near"].size else 0.0}
        return logs

    def _expected(self, name: str, logs: np.ndarray, model: Model) -> Expected:
        places = model.places
        mean, variance = (
            within(places.on_grid(values), places, SMOOTHED_POSITIONS).ravel()[places.chosen]
            for values in (logs.mean(axis=0), logs.var(axis=0))
        )
        expected = Expected(mean, np.maximum(np.sqrt(variance), SMALLEST_DEVIATION), RareValues.of(np.zeros(0)))
        model = replace(model, expected=model.expected | {name: expected})
        sigma = [self.smoothing_mm[name] / mm for mm in self.positions.spacing_mm]
        smooth = [blurred(model.standard(name, values), sigma).ravel()[places.chosen] for values in logs]
        return replace(expected, rare=RareValues.of(np.concatenate(smooth)))


def _added(sums: list[Sums]) -> Sums:
    count = sum(one.count for one in sums)
    first, squares, products = (sum(getattr(one, name) for one in sums) for name in ("first", "squares", "products"))
    return Sums(count, first, squares, products)
