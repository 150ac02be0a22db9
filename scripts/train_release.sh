#!/bin/sh
# Trains what is shipped, one function a set of weights, and copies it into the package. What was interrupted goes on,
# what is finished is only copied, so the same command can be given again and again.
# usage: sh scripts/train_release.sh [--dry-run] DATA RUNS [NAME...]
# DATA holds MANIFEST.csv (columns file and use) and the scans; scans whose use is `train` are trained on. RUNS keeps
# checkpoints and logs. NAMEs: mix-brain detail-brain fpi-brain normative-brain joint-brain mix-abdom ascnet-brain
# ascnet-abdom fpi-abdom; all when none is given. detail-brain and fpi-brain are trained by train_gpu.sh, which wants a
# GPU and what it names; joint-brain is measured on the detail-brain and normative-brain of the package.
# --dry-run prints the commands and does nothing.
# On two CPU cores without other load: mix-brain about four hours (the first half of it for mix-abdom too), each of
# the others up to an hour.
#
# None of the sets that are shipped today comes out byte for byte: they were trained by earlier commits that recorded
# neither command nor versions. What comes out instead:
#   mix-brain      two U-Nets of 48,000 steps, one recipe from start to end. Shipped are three; the first one's recipe
#                  was changed by hand while it ran, and part of that code is gone (its card tells the whole story).
#   mix-abdom      goes on from the first U-Net of mix-brain above. The shipped one went on from one with 54,000 steps.
#   detail-brain, fpi-brain
#                  what train_gpu.sh makes in the same minutes of another GPU. The shipped networks of detail's three views
#                  were trained for 5.1, 2.7 and 0.5 minutes, begun as mix and as one another, in two calls; then for 7.15
#                  minutes each, beside one another on one GPU, with what made-up other scanners show.
#   the others     the recipe of the shipped ones: same settings, scans, seed and steps, but not the same bytes.
# A set trained by this script in one go, on one machine, with the locked libraries, does come out again byte for byte;
# its card has the commands, the commit and the digest of the scans.
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
dry=''
[ "${1:-}" != --dry-run ] || { dry=yes; shift; }
[ $# -ge 2 ] || { echo "usage: sh $0 [--dry-run] DATA RUNS [NAME...]" >&2; exit 2; }
data=$1 runs=$2
shift 2
python=$top/.venv/bin/python
if [ -z "$dry" ]; then
    mkdir -p "$runs"
    data=$(CDPATH='' cd -- "$data" && pwd -P) runs=$(CDPATH='' cd -- "$runs" && pwd -P)
    sh "$top/scripts/setup.sh"
fi
cd "$top"

# mood ARGUMENT...: runs the command, or prints it, each word in quotes.
mood() {
    if [ -z "$dry" ]; then "$python" -m mood "$@"; return; fi
    printf 'mood'
    printf " '%s'" "$@"
    printf '\n'
}

# scans NAME PATTERN: prints a folder of links to the training scans whose path matches.
scans() {
    echo "$runs/scans-$1"
    [ -z "$dry" ] || return 0
    "$python" - "$data" "$runs/scans-$1" "$2" <<'PYTHON'
import csv, fnmatch, pathlib, sys

data, target, pattern = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
target.mkdir(exist_ok=True)
with (data / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
    for row in csv.DictReader(file):
        link = target / pathlib.Path(row["file"]).name
        if row["use"] == "train" and fnmatch.fnmatch(row["file"], pattern) and not link.is_symlink():
            link.symlink_to(data / row["file"])
PYTHON
}
all_brains() { scans brain 'brain/healthy/*'; }
brains_of_one_site() { scans site 'brain/healthy/ds002748*'; }
abdomens() { scans abdom 'abdom/healthy/*'; }

# ship NAME: a finished run into the package.
ship() {
    [ -z "$dry" ] || return 0
    mkdir -p "mood/weights/$1"
    rm -f "mood/weights/$1"/int8-*
    for file in "$runs/$1"/model.weights.h5 "$runs/$1"/card.md "$runs/$1"/config.json "$runs/$1"/int8-*; do
        [ ! -e "$file" ] || cp "$file" "mood/weights/$1/"
    done
}

# train NAME SCANS ARGUMENT...: NAME is METHOD-REGION, possibly with a number behind it.
train() {
    name=$1 source=$2 region=${1#*-}
    shift 2
    mood train -m "${name%%-*}" -r "${region%-*}" -i "$source" -o "$runs/$name" "$@"
}

# train_unet NAME SCANS LOOKS STEPS ARGUMENT...: one U-Net of mix.
train_unet() {
    name=$1 source=$2 looks=$3 steps=$4
    shift 4
    train "$name" "$source" --set "looks=$looks" --set "decay_steps=$steps" --steps "$steps" --epochs 1000 "$@"
}

# train_ascnet NAME SCANS MOST_ROUNDS ARGUMENT...: a quarter of the published width on a coarse grid.
train_ascnet() {
    name=$1 source=$2 most_rounds=$3
    shift 3
    train "$name" "$source" --side 64 --set width=8 --set momentum=0.95 --set learning_rate=0.001 \
        --set discriminator_learning_rate=0.0001 --set adversarial_weight=0.003 --set phase_steps=40 \
        --set "most_rounds=$most_rounds" "$@"
}

note_brains='96 healthy brains, T1, skull-stripped: 56 of IXI Hammersmith at 2 mm (CC BY-SA 3.0), 27 of OpenNeuro ds002748 (CC0), 11 of OpenfMRI ds011 and one each of studyforrest and niimath (PDDL, CC0).'
note_one_site='27 healthy adults of OpenNeuro ds002748 (T1, one scanner, 0.87 x 0.87 x 1 mm, CC0), skull-stripped. One site, one contrast: expect less on others.'
note_normative='83 healthy brains, T1, skull-stripped: 52 of OpenNeuro ds002748 (CC0), 11 of OpenfMRI ds011 and one each of studyforrest and niimath (PDDL, CC0), 18 of IXI Hammersmith at 2 mm (CC BY-SA 3.0), and their mirror images; one more was left out as badly registered, and 11 were held out. Features: EfficientNet-Lite0 trained on ImageNet (Apache-2.0). Nothing synthetic was seen. Registered to the ICBM 2009a template.'
note_abdomens='17 abdominal CT volumes: 14 kidney-level slabs of the CT KIDNEY DATASET (Islam et al. 2022, class Normal, 8-bit, voxel size estimated; its source states no licence beyond research use), TCIA ACRIN-FLT-Breast (CC BY 3.0), a MedImages.jl test scan (licence not stated) and the TotalSegmentator example (Apache-2.0). No CT colonography and no volume of the challenge was seen: expect little on those.'

# The first U-Net of mix-brain, and what mix-abdom goes on from.
plain_unet() {
    train_unet mix-brain-0 "$(all_brains)" plain 48000 --seed 0 --held-out 6 --check-every 3000 --note "$note_brains"
}

# Two networks that see a brain in different ways, trained apart and joined.
mix_brain() {
    source_brains=$(all_brains)
    plain_unet
    train_unet mix-brain-1 "$source_brains" standardised,mirrored 48000 --seed 1 --held-out 6 --check-every 3000 \
        --note "$note_brains"
    mood join "$runs/mix-brain-0" "$runs/mix-brain-1" -i "$source_brains" -o "$runs/mix-brain"
    mood quantise -w "$runs/mix-brain" -i "$source_brains"
}

# Few volumes teach little from the start; what a network has learnt of brains carries over.
mix_abdom() {
    plain_unet
    train_unet mix-abdom "$(abdomens)" plain 20000 --start-from "$runs/mix-brain-0" --set learning_rate=0.001 \
        --held-out 3 --check-every 1000 --note "$note_abdomens"
    mood quantise -w "$runs/mix-abdom" -i "$(abdomens)"
}

# Scans that settings are chosen with are held out; features come from a network that is not trained, so one pass is all.
normative_brain() {
    if [ -z "$dry" ]; then
        mkdir -p "$runs/scans-normative"
        "$python" - "$data" "$runs/scans-normative" <<'PYTHON'
import pathlib, sys
from mood.benchmark.manifest import learnt_from, read_manifest

for entry in learnt_from(read_manifest(pathlib.Path(sys.argv[1]))):
    link = pathlib.Path(sys.argv[2]) / entry.path.name
    if not link.is_symlink():
        link.symlink_to(entry.path)
PYTHON
    fi
    train normative-brain "$runs/scans-normative" --held-out 0 --note "$note_normative"
}

# Nothing is trained: its members are measured together, in the package.
joint_brain() {
    if [ -z "$dry" ]; then "$python" scripts/make_joint.py --data "$data"; fi
}

ascnet_brain() {
    train_ascnet ascnet-brain "$(brains_of_one_site)" 60 --note "$note_one_site"
}

ascnet_abdom() {
    train_ascnet ascnet-abdom "$(abdomens)" 20 --set slice_axis=2 --held-out 3 --note "$note_abdomens"
}

# Both at once: whichever comes first trains them.
on_gpu() {
    if [ -z "$dry" ]; then
        [ -e "$runs/gpu/weights/$1" ] || sh "$top/scripts/train_gpu.sh" "$data" "$runs/gpu"
        cp -r "$runs/gpu/weights/$1" "$runs/"
    fi
}

fpi_abdom() {
    train fpi-abdom "$(abdomens)" --side 96 --set width=2 --set slice_axis=2 --steps 1000 --epochs 1000 \
        --note "$note_abdomens"
}

[ $# -gt 0 ] || set -- mix-brain detail-brain fpi-brain normative-brain joint-brain mix-abdom ascnet-brain \
    ascnet-abdom fpi-abdom
for wanted in "$@"; do
    case $wanted in
        mix-brain) mix_brain ;;
        normative-brain) normative_brain ;;
        joint-brain) joint_brain ;;
        mix-abdom) mix_abdom ;;
        ascnet-brain) ascnet_brain ;;
        ascnet-abdom) ascnet_abdom ;;
        detail-brain | fpi-brain) on_gpu "$wanted" ;;
        fpi-abdom) fpi_abdom ;;
        *) echo "train_release: unknown name $wanted" >&2; exit 2 ;;
    esac
    ship "$wanted"
done
mood info
