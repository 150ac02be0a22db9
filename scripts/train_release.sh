#!/bin/sh
# Trains every set of weights that is shipped and copies it into the package. What was interrupted goes on, what is
# finished is only copied, so the same command can be given again and again.
# usage: sh scripts/train_release.sh DATA RUNS [NAME...]
# DATA holds MANIFEST.csv (columns file and use) and the scans; scans whose use is `train` are trained on. RUNS keeps
# checkpoints and logs. NAMEs: mix-brain mix-abdom ascnet-brain ascnet-abdom fpi-brain fpi-abdom; all when none is given.
# On two CPU cores without other load: mix-brain about four hours (the first half of it for mix-abdom too), each of
# the others up to an hour.
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
[ $# -ge 2 ] || { echo "usage: sh $0 DATA RUNS [NAME...]" >&2; exit 2; }
data=$(CDPATH='' cd -- "$1" && pwd -P)
mkdir -p "$2"
runs=$(CDPATH='' cd -- "$2" && pwd -P)
shift 2
sh "$top/scripts/setup.sh"
cd "$top"
python=$top/.venv/bin/python

# scans NAME PATTERN: a folder of links to the training scans whose path matches.
scans() {
    "$python" - "$data" "$runs/scans-$1" "$2" <<'EOF'
import csv, fnmatch, pathlib, sys

data, target, pattern = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
target.mkdir(exist_ok=True)
with (data / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
    for row in csv.DictReader(file):
        link = target / pathlib.Path(row["file"]).name
        if row["use"] == "train" and fnmatch.fnmatch(row["file"], pattern) and not link.is_symlink():
            link.symlink_to(data / row["file"])
EOF
    echo "$runs/scans-$1"
}

# ship NAME: a finished run into the package.
ship() {
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
    "$python" -m mood train -m "${name%%-*}" -r "${region%-*}" -i "$source" -o "$runs/$name" "$@"
}

# train_mix NAME SCANS LOOKS STEPS ARGUMENT...: one U-Net.
train_mix() {
    name=$1 source=$2 looks=$3 steps=$4
    shift 4
    train "$name" "$source" --set "looks=$looks" --steps "$steps" --set "decay_steps=$steps" --epochs 1000 "$@"
}

plain_brain() {
    train_mix mix-brain-0 "$1" plain 48000 --seed 0 --held-out 6 --check-every 3000 --note "$brains"
}

# Two networks that see a brain in different ways, trained apart and joined.
mix_brain() {
    source=$(scans brain 'brain/healthy/*')
    plain_brain "$source"
    train_mix mix-brain-1 "$source" standardised,mirrored 48000 --seed 1 --held-out 6 --check-every 3000 --note "$brains"
    "$python" -m mood join "$runs/mix-brain-0" "$runs/mix-brain-1" -i "$source" -o "$runs/mix-brain"
    "$python" -m mood quantise -w "$runs/mix-brain" -i "$source"
}

# Few volumes teach little from the start; what a network has learnt of brains carries over.
mix_abdom() {
    plain_brain "$(scans brain 'brain/healthy/*')"
    source=$(scans abdom 'abdom/healthy/*')
    train_mix mix-abdom "$source" plain 20000 --start-from "$runs/mix-brain-0" --set learning_rate=0.001 \
        --held-out 3 --check-every 1000 --note "$abdomens"
    "$python" -m mood quantise -w "$runs/mix-abdom" -i "$source"
}

brains='96 healthy brains, T1, skull-stripped: 56 of IXI Hammersmith at 2 mm (CC BY-SA 3.0), 27 of OpenNeuro ds002748 (CC0), 11 of OpenfMRI ds011 and one each of studyforrest and niimath (PDDL, CC0).'
one_site='27 healthy adults of OpenNeuro ds002748 (T1, one scanner, 0.87 x 0.87 x 1 mm, CC0), skull-stripped. One site, one contrast: expect less on others.'
abdomens='17 abdominal CT volumes: 14 kidney-level slabs of the CT KIDNEY DATASET (Islam et al. 2022, class Normal, 8-bit, voxel size estimated; its source states no licence beyond research use), TCIA ACRIN-FLT-Breast (CC BY 3.0), a MedImages.jl test scan (licence not stated) and the TotalSegmentator example (Apache-2.0). No CT colonography and no volume of the challenge was seen: expect little on those.'
adversarial='--side 64 --set width=8 --set momentum=0.95 --set learning_rate=0.001 --set discriminator_learning_rate=0.0001 --set adversarial_weight=0.003 --set phase_steps=40'

[ $# -gt 0 ] || set -- mix-brain mix-abdom ascnet-brain ascnet-abdom fpi-brain fpi-abdom
for wanted in "$@"; do
    # shellcheck disable=SC2086
    case $wanted in
        mix-brain) mix_brain ;;
        mix-abdom) mix_abdom ;;
        ascnet-brain) train "$wanted" "$(scans site 'brain/healthy/ds002748*')" $adversarial --set most_rounds=60 \
            --note "$one_site" ;;
        ascnet-abdom) train "$wanted" "$(scans abdom 'abdom/healthy/*')" $adversarial --set slice_axis=2 \
            --set most_rounds=20 --held-out 3 --note "$abdomens" ;;
        fpi-brain) train "$wanted" "$(scans site 'brain/healthy/ds002748*')" --side 96 --set width=2 \
            --set batch_size=8 --steps 4828 --epochs 1000 --held-out 4 --note "$one_site" ;;
        fpi-abdom) train "$wanted" "$(scans abdom 'abdom/healthy/*')" --side 96 --set width=2 --set slice_axis=2 \
            --steps 1000 --epochs 1000 --note "$abdomens" ;;
        *) echo "train_release: unknown name $wanted" >&2; exit 2 ;;
    esac
    ship "$wanted"
done
"$python" -m mood info
