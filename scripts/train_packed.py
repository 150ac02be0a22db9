"""Train on packed scans for a given time: mix3d, detail and FPI, everything on the device but a few numbers a step.

    python scripts/train_packed.py --packs FOLDER --out OUT --state STATE --what mix3d fpi --minutes 5.5 2.3

Each part writes OUT/NAME-brain.weights.h5 (half precision; one a view for detail) and OUT/NAME-brain.json (method,
settings, facts for the card), whole after each minute. STATE keeps what a later call of the same command goes on from.
A part that fails is reported and the next one runs. `--deadline` is in seconds from the start of this script: the last
part is cut so that the weights are written before it. Views of detail can be trained by processes of their own, beside
one another (`--set 'views=["coronal"]'`, another OUT and STATE each), and `--from` goes on from trained weights.
"""

from __future__ import annotations

import argparse
import json
import logging
import shlex
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mood.training.packed import TrainingScans

START = time.monotonic()
ROOM, BOX = 128, (200, 240, 196)  # scans and voxels that the array on the device has space for
LAST_SECONDS = 20.0  # what comes after a training
SLICE_BATCH = 64
FPI_STEP = 2  # of the fine voxels in a slice, every second along each axis is looked at
CHECK_BATCHES = 6
ALL_FROM = 0.4  # share of the time after which mix3d is shown the subtle places as often as the others
log = logging.getLogger("train_packed")


def main() -> None:
    arguments = parsed()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    from mood import runtime

    runtime.prepare_training()
    runtime.seed_initial_weights(arguments.seed)
    log.info("%s, read after %.0f s", runtime.device(), time.monotonic() - START)
    scans = read_scans(arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    failed = False
    for name, minutes in zip(arguments.what, arguments.minutes, strict=True):
        latest = START + arguments.deadline - LAST_SECONDS
        try:
            PARTS[name](scans, minutes * 60, latest, arguments)
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
    parser.add_argument(
        "--from", dest="trained", type=Path, help="arrays of a packaged method that detail goes on from"
    )
    parser.add_argument("--scanners", type=int, default=0, help="made-up ones, that fine scans are shown by once more")
    parser.add_argument("--room", type=int, default=ROOM)
    parser.add_argument(
        "--set", nargs="*", default=[], help="settings, NAME=VALUE in JSON, of the parts that have them"
    )
    return parser.parse_args()


def read_scans(arguments: argparse.Namespace) -> TrainingScans:
    """The scans of the packs, in an array whose shape does not depend on how many there are."""
    from mood.training.packed import training_scans

    paths, rng = pack_paths(arguments), np.random.default_rng(arguments.seed)
    scans = training_scans(paths, arguments.scanners, rng)
    log.info("%d scans to train on of %d packs", len(scans.training), len(paths))
    if arguments.room:
        scans = scans.roomy(arguments.room, BOX)
    return scans


def pack_paths(arguments: argparse.Namespace) -> list[Path]:
    return sorted({path.name: path for folder in arguments.packs for path in folder.glob("*.npz")}.values())


def method_of(name: str, settings: dict[str, Any], arguments: argparse.Namespace) -> Any:
    from mood import runtime
    from mood.regions import BRAIN
    from mood.training.new_method import new_method

    given = dict(item.split("=", 1) for item in arguments.set)
    known = new_method(name, BRAIN, {}).settings.to_dict()
    chosen = settings | {key: json.loads(value) for key, value in given.items() if key in known}
    with runtime.mixed_precision():
        return new_method(name, BRAIN, chosen)


def train_mix3d(scans: TrainingScans, seconds: float, latest: float, arguments: argparse.Namespace) -> None:
    method = method_of("mix3d", {"batch_size": arguments.batch}, arguments)
    facts = train_places("mix3d-brain", method, "network", scans, seconds, latest, arguments)
    described(method, "mix3d-brain", facts, arguments)


def train_detail(scans: TrainingScans, seconds: float, latest: float, arguments: argparse.Namespace) -> None:
    """A network a view; the first begins as mix when `--start` names its arrays, each other one as the one before.

    The first view gets half of the time: the later ones know what to look for.
    """
    method = method_of("detail", {"batch_size": arguments.batch}, arguments)
    if arguments.trained:
        method.load_weights(arguments.trained)
    elif arguments.start:
        begin_as_mix(method, arguments.start)
    views, facts, before = method.settings.views, {}, None
    for number, view in enumerate(views):
        if before is not None and not arguments.trained:
            method.by_view[view].set_weights(before.get_weights())
        before, share = method.by_view[view], (0.5 if number == 0 else 0.5 / (len(views) - 1)) if len(views) > 1 else 1
        facts[view] = train_places(f"detail-brain-{view}", method, view, scans, seconds * share, latest, arguments)
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
    name: str,
    method: Any,
    learner: str,
    scans: TrainingScans,
    seconds: float,
    latest: float,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """A network that is shown altered places in three dimensions, the subtle ones more and more; what was measured."""
    from mood.methods.mix3d import SUBTLE
    from mood.training.timed import TimedRun

    method.prepare_training()
    store = scans.store
    rng = np.random.default_rng(arguments.seed + int(time.time()))
    drawing, grid_mm, size = method.drawing(store), method.settings.spacing_mm[0], method.settings.batch_size
    network, images = method.learners(store, arguments.seed)[learner]

    def draw(share: float) -> Any:
        eased = drawing if arguments.trained else drawing.eased(SUBTLE, min(1.0, share / ALL_FROM))
        return images.draw_batch(scans.drawn(size, rng), eased, grid_mm, rng)

    fixed = np.random.default_rng(77)
    check = [images.draw_batch(fixed.choice(scans.apart, size), drawing, grid_mm, fixed) for _ in range(CHECK_BATCHES)]
    rate = method.settings.learning_rate
    run = TimedRun(name, network, draw, images, check, seconds, arguments.out, arguments.state, rate)
    return run.go(latest) | scans.facts()


def train_fpi(scans: TrainingScans, seconds: float, latest: float, arguments: argparse.Namespace) -> None:
    from mood.networks.wide_resnet import side_multiple
    from mood.synthesis.places.foreign_slices import ForeignSlices, SliceFrame, draw_slices
    from mood.training.timed import TimedRun

    method = method_of("fpi", {"step": FPI_STEP, "look": "standardised", "batch_size": SLICE_BATCH}, arguments)
    settings = method.settings
    full, multiple = settings.grid_shape[0] // FPI_STEP, side_multiple(settings.architecture)
    shape = tuple(-(-round(full * share) // multiple) * multiple for share in method.region.content_share[:2])
    frame = SliceFrame(shape, (full, full), settings.spacing_mm[0] * FPI_STEP)
    method.prepare_training()
    store = scans.store
    rng = np.random.default_rng(arguments.seed + int(time.time()))

    def draw(share: float) -> Any:
        """The foreign share falls from most of the patch to the published range within half of the time."""
        easier = max(0.0, 1.0 - 2.0 * share)
        alpha = (0.05, 0.4 * easier + 0.95 * (1.0 - easier))
        return draw_slices(store, scans.drawn(settings.batch_size, rng), frame, alpha, rng)

    fixed = np.random.default_rng(77)
    check = [
        draw_slices(store, fixed.choice(scans.apart, settings.batch_size), frame, (0.05, 0.95), fixed)
        for _ in range(CHECK_BATCHES)
    ]
    images = ForeignSlices(store, frame.shape)
    run = TimedRun(
        "fpi-brain", method.network, draw, images, check, seconds, arguments.out, arguments.state,
        settings.learning_rate, labelled=0.02,
    )  # fmt: skip
    described(method, run.name, run.go(latest) | scans.facts(), arguments)


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
    training = facts | {
        "provenance": [*made_before(arguments), made],
        "seed": arguments.seed,
        "device": runtime.device(),
    }
    config = {"method": method.name, "region": "brain", "settings": method.settings.to_dict(), "training": training}
    (arguments.out / f"{name}.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


def made_before(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """What the card of the weights that this goes on from says of their making."""
    card = arguments.trained and arguments.trained.with_name("config.json")
    if not (card and card.exists()):
        return []
    steps: list[dict[str, Any]] = json.loads(card.read_text(encoding="utf-8"))["training"]["provenance"]
    return steps


PARTS = {"mix3d": train_mix3d, "detail": train_detail, "fpi": train_fpi}

if __name__ == "__main__":
    main()
