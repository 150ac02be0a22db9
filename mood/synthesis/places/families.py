"""Kinds of altered places, each a few lines of random numbers for the one formula of `altering`.

Sizes, strengths and shapes come from broad ranges, half of the places fade towards their rim, and displaced tissue
is never blended with what was there. `resembles` names the benchmark outliers that a family is like, so that figures
on those can be told apart from figures on what no family holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from mood.synthesis.places.parameters import ALL_TISSUE, KNOTS, Place
from mood.synthesis.places.store import ScanStore

RAGGED_SHARE = 0.8  # of the radius that a ragged place may be drawn with, since noise carries its surface outwards


@dataclass(frozen=True, eq=False)
class Spot:
    """Which family, in which scan, where (voxels) and how large (mm); `largest` is the largest radius possible."""

    family: str
    host: int
    centre: np.ndarray
    radius_mm: float
    largest_mm: float
    spacing_mm: np.ndarray

    def apart_from(self, other: Spot) -> bool:
        """Whether two places leave each other alone."""
        gap = np.linalg.norm((self.centre - other.centre) * self.spacing_mm)
        return bool(gap > self.radius_mm + other.radius_mm)


@dataclass(frozen=True)
class Family:
    """A kind of place: what draws it, its radii, and which benchmark outliers are like it."""

    draw: Callable[[ScanStore, Spot, Generator], Place]
    radius_mm: tuple[float, float]
    resembles: tuple[str, ...] = ()


def _sign(rng: Generator) -> float:
    return float(rng.choice((-1.0, 1.0)))


def _log_uniform(rng: Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _turn(rng: Generator, degrees: float = 180.0) -> np.ndarray:
    """A rotation about a random axis by at most this many degrees."""
    axis = rng.normal(size=3)
    angle = np.radians(rng.uniform(-degrees, degrees))
    return Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix()


def _ball(spot: Spot, rng: Generator) -> Place:
    """A ball, or an ellipsoid no larger."""
    shares = np.ones(3) if rng.random() < 0.5 else rng.uniform(0.55, 1.0, 3)
    return {"to_unit": np.diag(1.0 / (shares * spot.radius_mm)) @ _turn(rng), "roundness": 2.0}


def _shape(spot: Spot, rng: Generator) -> Place:
    """An ellipsoid, a cuboid, or either with a ragged surface."""
    radius = spot.radius_mm
    place = _ball(spot, rng)
    if rng.random() < 0.25:
        half = rng.uniform(0.35, 0.75, 3) * radius  # the corners stay within the radius, or nearly
        turn = np.eye(3) if rng.random() < 0.5 else _turn(rng)
        place = {"to_unit": np.diag(1.0 / half) @ turn, "roundness": float(rng.uniform(8, 16))}
    if rng.random() < 0.4:
        place["to_unit"] = place["to_unit"] / RAGGED_SHARE
        place |= {"raggedness": rng.uniform(0.1, 0.4), "grain_mm": rng.uniform(0.15, 0.5) * radius}
    return place | _rim(rng)


def _rim(rng: Generator) -> Place:
    """Half of the places fade over most of their radius; the others have a rim, some as sharp as a voxel."""
    return {"rim": float(rng.uniform(0.5, 1.0) if rng.random() < 0.5 else _log_uniform(rng, 0.01, 0.4))}


def _elsewhere(store: ScanStore, scan: int, rng: Generator) -> np.ndarray:
    """A voxel of tissue of a scan, wherever."""
    half = np.minimum(store.middle[scan], np.array(store.box) - 1 - store.middle[scan]) * 0.8
    for _ in range(60):
        voxel = np.rint(store.middle[scan] + rng.uniform(-1, 1, 3) * half).astype(int)
        if store.voxels[(scan, *voxel)] > 0:
            break
    return voxel


def another_scan(store: ScanStore, host: int, rng: Generator) -> int:
    """Another scan, mostly of the same site."""
    others = np.delete(np.arange(len(store)), host) if len(store) > 1 else np.array([host])
    alike = others[store.sites[others] == store.sites[host]]
    return int(rng.choice(alike if len(alike) and rng.random() < 0.8 else others))


def same_place(store: ScanStore, host: int, source: int, centre: np.ndarray) -> Place:
    """What shows at `centre` of the host the same anatomical place of another scan."""
    to_template, from_template = store.to_template[host], store.to_template[source]
    inverse = np.linalg.inv(from_template[:, :3])
    linear = inverse @ to_template[:, :3]
    origin = linear @ centre + inverse @ (to_template[:, 3] - from_template[:, 3])
    return {"source": source, "origin": origin, "frame": linear @ np.diag(1.0 / store.spacing_mm[host])}


def draw_foreign(store: ScanStore, spot: Spot, rng: Generator) -> Place:
    """The same place of another body, mixed in by a share, often most of it."""
    place = same_place(store, spot.host, another_scan(store, spot.host, rng), spot.centre)
    return _shape(spot, rng) | place | {"strength": float(1.0 - 0.75 * rng.random() ** 1.5)}


def draw_graft(store: ScanStore, spot: Spot, rng: Generator) -> Place:
    """Tissue from any place of any body, turned and scaled."""
    source = another_scan(store, spot.host, rng)
    frame = np.diag(1.0 / store.spacing_mm[source]) @ _turn(rng) * _log_uniform(rng, 0.75, 1.33)
    origin = _elsewhere(store, source, rng).astype(float)
    own = {"source": source, "origin": origin, "frame": frame, "gain": float(rng.uniform(0.8, 1.2))}
    return _shape(spot, rng) | own | {"strength": float(rng.uniform(0.4, 1.0))}


def draw_relocation(store: ScanStore, spot: Spot, rng: Generator) -> Place:
    """The scan's own tissue from some millimetres away, often by whole voxels, so that nothing is blurred."""
    place = _shape(spot, rng) if rng.random() < 0.4 else _ball(spot, rng) | {"rim": _log_uniform(rng, 1e-3, 0.2)}
    direction = rng.normal(size=3)
    away = direction / np.linalg.norm(direction) * _log_uniform(rng, 4.0, 30.0) / spot.spacing_mm
    if rng.random() < 0.65:
        return place | {"origin": spot.centre + np.rint(away)}
    frame = np.diag(1.0 / spot.spacing_mm) @ _turn(rng, 90.0) * _log_uniform(rng, 0.8, 1.25)
    return place | {"origin": spot.centre + away, "frame": frame}


def draw_mirror(store: ScanStore, spot: Spot, rng: Generator) -> Place:
    """The scan's own tissue mirrored on the spot, mostly left to right."""
    flip = np.ones(3)
    flip[int(rng.choice(3, p=(0.6, 0.2, 0.2)))] = -1.0
    place = _ball(spot, rng) | {"rim": _log_uniform(rng, 1e-3, 0.2)} if rng.random() < 0.6 else _shape(spot, rng)
    frame = np.diag(flip / spot.spacing_mm)
    return place | {"frame": frame if rng.random() < 0.7 else frame @ _turn(rng, 30.0)}


def draw_offset(store: ScanStore, spot: Spot, rng: Generator) -> Place:
    """Brighter or darker by the same amount."""
    return _shape(spot, rng) | {"offset": _sign(rng) * _log_uniform(rng, 0.06, 0.4)}


def draw_profile(store: ScanStore, spot: Spot, rng: Generator) -> Place:
    """A core, rings and a halo: a random curve from the centre to the surface, steep or smooth."""
    steps = np.cumsum(rng.normal(size=KNOTS)) if rng.random() < 0.5 else rng.uniform(-1, 1, KNOTS)
    curve = steps - np.mean(steps) if rng.random() < 0.5 else steps
    curve = curve / max(float(np.abs(curve).max()), 1e-6)
    if rng.random() < 0.6:
        curve[-1] = 0.0  # fades out at the surface
    return _shape(spot, rng) | {"profile": curve, "offset": _log_uniform(rng, 0.12, 0.5)}


def draw_dark_or_bright(store: ScanStore, spot: Spot, rng: Generator) -> Place:
    """Tissue drawn towards one level, darker more often, and most in the middle."""
    level = rng.uniform(0.03, 0.35) if rng.random() < 0.7 else rng.uniform(0.7, 1.0)
    fall = np.linspace(1.0, 0.0, KNOTS) ** rng.uniform(0.2, 1.5) if rng.random() < 0.6 else np.ones(KNOTS)
    own = {"level": float(level), "pull": float(rng.uniform(0.35, 1.0)), "profile": fall}
    return _shape(spot, rng) | own


def draw_noise(store: ScanStore, spot: Spot, rng: Generator) -> Place:
    """Noise of some correlation length."""
    length = 0.0 if rng.random() < 0.5 else float(rng.uniform(0.3, 2.5))
    return _shape(spot, rng) | {"noise": _log_uniform(rng, 0.03, 0.25), "noise_mm": length}


def draw_texture(store: ScanStore, spot: Spot, rng: Generator) -> Place:
    """Detail taken away or exaggerated."""
    blur = rng.uniform(0.6, 1.0) if rng.random() < 0.7 else -rng.uniform(0.8, 2.5)
    return _shape(spot, rng) | {"blur": float(blur), "blur_mm": _log_uniform(rng, 0.7, 3.0)}


def _radial(rng: Generator) -> Place:
    """Everything drawn to the centre or pushed from it; steps of the limit keep tissue from folding."""
    fade = float(rng.uniform(1.2, 2.2))
    most = 2.6 - 1.0 * (fade - 1.0)
    amount = rng.uniform(0.3, 0.8) * -1.0 if rng.random() < 0.5 else rng.uniform(0.35, 0.85) * most
    return {"displace": np.eye(3) * amount, "fade": fade}


def draw_bulge(store: ScanStore, spot: Spot, rng: Generator) -> Place:
    """Tissue magnified or shrunk about the centre, exactly at rest at the surface."""
    return _ball(spot, rng) | _radial(rng)


def draw_shear(store: ScanStore, spot: Spot, rng: Generator) -> Place:
    """Tissue pushed or twisted aside, at rest at the surface."""
    fade = float(rng.uniform(1.5, 3.0))
    if rng.random() < 0.5:
        direction = rng.normal(size=3)
        return _ball(spot, rng) | {
            "push_mm": direction / np.linalg.norm(direction) * spot.radius_mm * rng.uniform(0.25, 0.5),
            "fade": fade,
        }
    twist = _turn(rng, 150.0) - np.eye(3) if rng.random() < 0.5 else rng.normal(size=(3, 3)) * 0.3
    return _ball(spot, rng) | {"displace": twist, "fade": fade}


def draw_mass(store: ScanStore, spot: Spot, rng: Generator) -> Place:
    """Something that pushes its surroundings aside and has a grey of its own."""
    curve = np.clip(np.linspace(1.0, 0.0, KNOTS) / rng.uniform(0.2, 1.0), 0.0, 1.0)
    if rng.random() < 0.3:
        curve[:2] = rng.uniform(-0.5, 0.5)
    own = {"profile": curve, "offset": _sign(rng) * _log_uniform(rng, 0.06, 0.4)}
    return _ball(spot, rng) | _radial(rng) | own


def draw_lesion(store: ScanStore, spot: Spot, rng: Generator) -> Place:
    """Darker or brighter by class of tissue, soft, small, or several small ones at once."""
    place = _shape(spot, rng)
    if rng.random() < 0.4:
        place |= {"raggedness": rng.uniform(0.6, 1.2), "grain_mm": rng.uniform(1.5, 4.0), "rim": rng.uniform(0.2, 0.8)}
    width = ALL_TISSUE if rng.random() < 0.3 else float(rng.uniform(0.06, 0.15))
    sign = -1.0 if rng.random() < 0.65 else 1.0
    own = {"tissue": float(rng.uniform(0.4, 0.9)), "tissue_width": width, "offset": sign * _log_uniform(rng, 0.08, 0.4)}
    return place | own | {"noise": float(rng.uniform(0.0, 0.04)), "noise_mm": float(rng.uniform(0.5, 2.0))}


FAMILIES = {
    "foreign": Family(draw_foreign, (6.0, 28.0)),
    "graft": Family(draw_graft, (5.0, 22.0)),
    "relocation": Family(draw_relocation, (7.0, 30.0), ("uniform_shift",)),
    "mirror": Family(draw_mirror, (9.0, 30.0), ("reflection",)),
    "offset": Family(draw_offset, (5.0, 25.0), ("uniform_addition",)),
    "profile": Family(draw_profile, (6.0, 25.0), ("ring_lesion",)),
    "dark_or_bright": Family(draw_dark_or_bright, (5.0, 25.0), ("dark_lesion",)),
    "noise": Family(draw_noise, (6.0, 25.0), ("noise_addition",)),
    "texture": Family(draw_texture, (7.0, 22.0)),
    "bulge": Family(draw_bulge, (10.0, 30.0), ("sink_source",)),
    "shear": Family(draw_shear, (9.0, 30.0)),
    "mass": Family(draw_mass, (9.0, 30.0), ("mass_effect",)),
    "lesion": Family(draw_lesion, (3.0, 14.0)),
}
