"""Train on packed scans for a given time: mix3d, detail and FPI, everything on the device but a few numbers a step.

    python scripts/train_packed.py --packs FOLDER --out OUT --state STATE --what mix3d fpi --minutes 5.5 2.3

Each part writes OUT/NAME-brain.weights.h5 (half precision) and OUT/NAME-brain.json (method, settings, facts for the
card), whole after each minute. STATE keeps what a later call of the same command goes on from. A part that fails is
reported and the next one runs. `--deadline` is in seconds from the start of this script: the last part is cut so that
the weights are written before it.
"""

from __future__ import annotations

import argparse
import json
import logging
import shlex
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

START = time.monotonic()
CHECK_SCANS = 4  # kept from training to measure on
ROOM, BOX = 128, (200, 240, 196)  # scans and voxels that the array on the device has space for
LAST_SECONDS = 20.0  # what comes after a training
SLICE_BATCH = 64
FPI_STEP = 2  # of the fine voxels in a slice, every second along each axis is looked at
CHECK_BATCHES = 6
ALL_FROM = 0.4  # share of the time after which mix3d is shown the subtle places as often as the others
SITE_POWER = 0.35  # how far small sites are favoured: 0 not at all, 1 until all sites are drawn alike
log = logging.getLogger("train_packed")


def main() -> None:
    arguments = parsed()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    from mood import runtime

    runtime.prepare_training()
    runtime.seed_initial_weights(arguments.seed)
    log.info("%s, read after %.0f s", runtime.device(), time.monotonic() - START)
    store = read_store(arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    failed = False
    for name, minutes in zip(arguments.what, arguments.minutes, strict=True):
        latest = START + arguments.deadline - LAST_SECONDS
        try:
            PARTS[name](store, minutes * 60, latest, arguments)
        except Exception:
            failed = True
            traceback.print_exc()
    sys.exit(failed)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packs", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--what", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--minutes", type=float, nargs="+", default=[5.5, 2.3])
    parser.add_argument("--deadline", type=float, default=570.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=8, help="brains a step")
    parser.add_argument("--start", type=Path, help="arrays of the shipped mix-brain, which detail begins as")
    parser.add_argument("--room", type=int, default=ROOM)
    parser.add_argument(
        "--set", nargs="*", default=[], help="settings, NAME=VALUE in JSON, of the parts that have them"
    )
    return parser.parse_args()


def read_store(arguments: argparse.Namespace) -> Any:
    """All scans found, in an array whose shape does not depend on how many there are."""
    from mood.training.packed import load_packs

    paths = pack_paths(arguments)
    store = load_packs(paths, np.random.default_rng(arguments.seed))
    log.info("%d scans of %d packs, box %s", len(store), len(paths), store.box)
    if arguments.room:
        store = store.roomy(max(arguments.room, len(store)), tuple(np.maximum(BOX, store.box)))
    return store


def pack_paths(arguments: argparse.Namespace) -> list[Path]:
    return sorted({path.name: path for folder in arguments.packs for path in folder.glob("*.npz")}.values())


def parts_of(store: Any) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the scans to train on and of those to measure on, spread over the sites."""
    apart = np.linspace(0, len(store) - 1, CHECK_SCANS + 2)[1:-1].round().astype(int)
    return np.setdiff1d(np.arange(len(store)), apart), apart


def by_site(store: Any, rows: np.ndarray) -> Callable[[int, np.random.Generator], np.ndarray]:
    """Draws hosts: no site is all there is, and finer scans, which show more, are drawn more often."""
    _, inverse, counts = np.unique(store.sites[rows], return_inverse=True, return_counts=True)
    weights = counts[inverse] ** -SITE_POWER / store.spacing_mm[rows].mean(axis=1)
    weights = weights / weights.sum()
    return lambda count, rng: rng.choice(rows, count, p=weights)


def method_of(name: str, settings: dict[str, Any], arguments: argparse.Namespace) -> Any:
    from mood import runtime
    from mood.regions import BRAIN
    from mood.training.new_method import new_method

    given = dict(item.split("=", 1) for item in arguments.set)
    known = new_method(name, BRAIN, {}).settings.to_dict()
    chosen = settings | {key: json.loads(value) for key, value in given.items() if key in known}
    with runtime.mixed_precision():
        return new_method(name, BRAIN, chosen)


def train_mix3d(store: Any, seconds: float, latest: float, arguments: argparse.Namespace) -> None:
    method = method_of("mix3d", {"batch_size": arguments.batch}, arguments)
    facts = train_places("mix3d-brain", method, "network", store, seconds, latest, arguments)
    described(method, "mix3d-brain", facts, arguments)


def train_detail(store: Any, seconds: float, latest: float, arguments: argparse.Namespace) -> None:
    """A network a view; the first begins as mix when `--start` names its arrays, each other one as the one before.

    The first view gets half of the time: the later ones know what to look for.
    """
    method = method_of("detail", {"batch_size": arguments.batch}, arguments)
    if arguments.start:
        begin_as_mix(method, arguments.start)
    views, facts, before = method.settings.views, {}, None
    for number, view in enumerate(views):
        if before is not None:
            method.by_view[view].set_weights(before.get_weights())
        before, share = method.by_view[view], (0.5 if number == 0 else 0.5 / (len(views) - 1)) if len(views) > 1 else 1
        facts[view] = train_places(f"detail-brain-{view}", method, view, store, seconds * share, latest, arguments)
        described(method, "detail-brain", facts[view] | {"views": facts}, arguments)


def begin_as_mix(method: Any, arrays: Path) -> None:
    """The second and the third U-Net of the shipped mix side by side, which saw voxels of twice the side."""
    from mood.networks.unet import build_unet
    from mood.networks.warm_start import begin_as

    context, eighth = 2 * method.settings.context + 1, 1 / 8
    source = build_unet(16, 3 * context, members=3)
    source.load_weights(arrays)
    seen = np.zeros((3 * context, 16 * context))
    for k in range(context):
        seen[[k, context + k], 16 * k : 16 * k + 8] = eighth  # plain and standardised: the scan
        seen[2 * context + k, 16 * k + 8 : 16 * k + 16] = eighth  # its mirror image
    begin_as(method.network, source, (1, 2), seen)  # the first view


def train_places(
    name: str, method: Any, learner: str, store: Any, seconds: float, latest: float, arguments: argparse.Namespace
) -> dict[str, Any]:
    """A network that is shown altered places in three dimensions, the subtle ones more and more; what was measured."""
    from mood.methods.mix3d import SUBTLE
    from mood.training.timed import TimedRun

    method.prepare_training()
    training, apart = parts_of(store)
    rng, draw_hosts = np.random.default_rng(arguments.seed + int(time.time())), by_site(store, training)
    drawing, grid_mm, size = method.drawing(store), method.settings.spacing_mm[0], method.settings.batch_size
    network, images = method.learners(store, arguments.seed)[learner]

    def draw(share: float) -> Any:
        eased = drawing.eased(SUBTLE, min(1.0, share / ALL_FROM))
        return images.draw_batch(draw_hosts(size, rng), eased, grid_mm, rng)

    fixed = np.random.default_rng(77)
    check = [images.draw_batch(fixed.choice(apart, size), drawing, grid_mm, fixed) for _ in range(CHECK_BATCHES)]
    rate = method.settings.learning_rate
    run = TimedRun(name, network, draw, images, check, seconds, arguments.out, arguments.state, rate)
    return run.go(latest) | {"training_scans": len(training)}


def train_fpi(store: Any, seconds: float, latest: float, arguments: argparse.Namespace) -> None:
    from mood.networks.wide_resnet import side_multiple
    from mood.synthesis.places.foreign_slices import ForeignSlices, SliceFrame, draw_slices
    from mood.training.timed import TimedRun

    method = method_of("fpi", {"step": FPI_STEP, "look": "standardised", "batch_size": SLICE_BATCH}, arguments)
    settings = method.settings
    full, multiple = settings.grid_shape[0] // FPI_STEP, side_multiple(settings.architecture)
    shape = tuple(-(-round(full * share) // multiple) * multiple for share in method.region.content_share[:2])
    frame = SliceFrame(shape, (full, full), settings.spacing_mm[0] * FPI_STEP)
    method.prepare_training()
    training, apart = parts_of(store)
    rng, draw_hosts = np.random.default_rng(arguments.seed + int(time.time())), by_site(store, training)

    def draw(share: float) -> Any:
        """The foreign share falls from most of the patch to the published range within half of the time."""
        easier = max(0.0, 1.0 - 2.0 * share)
        alpha = (0.05, 0.4 * easier + 0.95 * (1.0 - easier))
        return draw_slices(store, draw_hosts(settings.batch_size, rng), frame, alpha, rng)

    fixed = np.random.default_rng(77)
    check = [
        draw_slices(store, fixed.choice(apart, settings.batch_size), frame, (0.05, 0.95), fixed)
        for _ in range(CHECK_BATCHES)
    ]
    images = ForeignSlices(store, frame.shape)
    run = TimedRun(
        "fpi-brain", method.network, draw, images, check, seconds, arguments.out, arguments.state,
        settings.learning_rate, labelled=0.02,
    )  # fmt: skip
    described(method, run.name, run.go(latest) | {"training_scans": len(training)}, arguments)


def described(method: Any, name: str, facts: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Write what a weights folder says of the weights beside it."""
    from mood import runtime
    from mood.installation import revision, versions
    from mood.training.provenance import list_digest

    made = {
        "step": "train", "command": shlex.join(["train_packed.py", *sys.argv[1:]]), "code": revision(),
        "versions": versions(runtime.LIBRARIES), "scans": facts["training_scans"],
        "scans_sha256": list_digest(pack_paths(arguments)),
    }  # fmt: skip
    training = facts | {"provenance": [made], "seed": arguments.seed, "device": runtime.device()}
    config = {"method": method.name, "region": "brain", "settings": method.settings.to_dict(), "training": training}
    (arguments.out / f"{name}.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


PARTS = {"mix3d": train_mix3d, "detail": train_detail, "fpi": train_fpi}

if __name__ == "__main__":
    main()
