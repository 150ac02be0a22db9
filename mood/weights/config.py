"""What `config.json` of a weights folder holds, with types and ranges: what was trained, how, and what it reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Meta

from mood.calibration import Calibration
from mood.typed import Count, Seed, Share, encode, encode_text

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Digests = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}(\+[0-9a-f]{64})*$")]  # of each member where there are some
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]  # in the weights folder, not beyond it


@dataclass(frozen=True)
class Step:
    """One command that made weights, with all that it takes to give it again."""

    step: str  # train, join or quantise
    command: str
    code: str  # the commit
    versions: dict[str, str]  # of the libraries
    scans: Count  # that were read
    scans_sha256: Digest  # of their list
    unlabelled: Count = 0  # further ones that may hold anything
    unlabelled_sha256: Digest | None = None


@dataclass(frozen=True)
class CurvePoint:
    """What a network had learnt at some moment of its training."""

    steps: Count
    seconds: Annotated[float, Meta(ge=0)]
    loss: float  # mean of the last steps
    check_ap: Share  # on its own task in scans kept apart
    chance: Share  # share of the voxels there that were altered


@dataclass(frozen=True)
class TrainingFacts:
    """How weights came about, for people and for joining."""

    steps: Count = 0
    epochs: Count = 0
    chosen_step: Count | str | list[Any] = 0  # of the checkpoint; a list where networks were joined
    selection_ap: Annotated[float, Meta(ge=-1, le=1)] = 0.0  # on synthetic outliers in held-out scans; -1: no check
    training_scans: Count = 0
    held_out_scans: tuple[str, ...] = ()  # by name
    seed: Seed = 0
    minutes: Annotated[float, Meta(ge=0)] = 0.0
    device: str = ""
    note: str = ""  # on the data and their licences
    curves: dict[str, tuple[CurvePoint, ...]] = field(default_factory=dict)  # by part of the method
    provenance: tuple[Step, ...] = ()  # empty for weights older than this record


@dataclass(frozen=True)
class Bench:
    """What a benchmark measured of the weights."""

    bench_group: str
    bench_pixel_ap: Share | None = None  # None where no case could be measured
    bench_sample_auroc: Share | None = None
    lesion_scans: Count | None = None  # with real lesions, of the region
    lesion_ap: Share | None = None  # pixel AP over all of them pooled
    lesion_share: Share | None = None  # of their voxels that are lesion: the AP of chance


@dataclass(frozen=True)
class WeightsConfig:
    """`config.json`. What the settings may be, the method knows: `Method.settings_type`."""

    method: Name
    region: Name
    settings: dict[str, Any]
    training: TrainingFacts = field(default_factory=TrainingFacts)
    sha256: Digests | None = None  # of the arrays' file, or of those of each member; None until they are written
    members: tuple[FileName, ...] | None = None  # folders beside this one whose weights are joined; it has no arrays
    calibration: Calibration | None = None
    bench: Bench | None = None
    int8: dict[Name, dict[FileName, Digest]] | None = None  # by part of the method: its graph's two files

    def text(self) -> str:
        """As `config.json` has it: what is not known is left out."""
        return encode_text({name: value for name, value in encode(self).items() if value is not None})
