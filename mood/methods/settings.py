"""Settings of a method: plain values with types and ranges, the same in Python, on the command line and in JSON."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated, Any, ClassVar, Self

from msgspec import Meta

from mood.errors import WeightsError, did_you_mean
from mood.typed import Unfit, decode, encode, renamed

MOST_VOXELS = 2**27  # of a grid: the larger of the challenge's volumes

Side = Annotated[int, Meta(ge=2, le=1024)]  # voxels along an axis
Millimetres = Annotated[float, Meta(ge=0.25, le=50)]  # of a voxel: finer takes all memory, coarser shows no organ
Axis = Annotated[int, Meta(ge=0, le=2)]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings every method has; each adds its own, with the range that makes sense. Plain values, JSON in and out."""

    old_names: ClassVar[dict[str, str]] = {}  # of settings in weights that were written under others
    most_voxels: ClassVar[int] = MOST_VOXELS

    grid_shape: tuple[Side, Side, Side]  # voxels a scan is brought to
    spacing_mm: tuple[Millimetres, Millimetres, Millimetres]  # of those voxels
    slice_axis: Axis  # RAS axis the scan is sliced along

    def __post_init__(self) -> None:
        """`ValueError` for what no single value shows."""
        if math.prod(self.grid_shape) > self.most_voxels:
            raise ValueError(f"grid_shape: more than {self.most_voxels} voxels take too much memory")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON would give them back."""
        return encode(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The settings that `to_dict` described, under older names too.

        Parameters
        ----------
        values : dict
            By name, as JSON has them.

        Raises
        ------
        WeightsError
            On names this version does not know, types and ranges that are not declared, and what is missing.
        """
        fix = "Update mood, restore the weights from their source, or train them again"
        try:
            return cls.checked(values)
        except Unfit as error:
            raise WeightsError(f"the settings do not fit ({error})", where="config.json", fix=fix) from error

    @classmethod
    def checked(cls, values: dict[str, Any]) -> Self:
        """As `from_dict`, but what does not fit is an `Unfit`.

        Parameters
        ----------
        values : dict
            By name, as JSON has them.
        """
        values = renamed(values, cls.old_names)
        known = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                raise Unfit(f"no setting is called {name}{did_you_mean(name, known)}; known are {', '.join(known)}")
        return decode(cls, values)
