#!/bin/sh
# Trains detail and FPI for the brain on a machine with a GPU, in pieces of less than ten minutes. Given again, the
# training goes on where it stopped.
# usage: sh scripts/train_gpu.sh [--dry-run] DATA RUNS [MINUTES OF DETAIL] [MINUTES OF FPI] [MINUTES A VIEW]
# Detail is trained twice: its views one after the other, each begun as the one before; then each for itself, with the
# fine scans once more as made-up other scanners would show them (on a large GPU these three may run at the same time).
# DATA holds MANIFEST.csv and the scans; those whose use is `train` are trained on, less the ones held out. RUNS keeps
# the packs, the state, and the weights folders at the end. --dry-run prints the commands and does nothing.
# The GPU machine needs Python with JAX (or another backend of Keras), keras, msgspec, nibabel, h5py and scipy, this
# repository, and RUNS/packs (two files of about 30 MB); where it is another one than this, run the commands apart and
# copy RUNS between.
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
dry=''
[ "${1:-}" != --dry-run ] || { dry=yes; shift; }
[ $# -ge 2 ] || { echo "usage: sh $0 [--dry-run] DATA RUNS [MINUTES OF DETAIL] [MINUTES OF FPI] [MINUTES A VIEW]" >&2; exit 2; }
data=$1 runs=$2 detail=${3:-8.3} fpi=${4:-2.3} view_minutes=${5:-7.15}
export PYTHONPATH="$top" KERAS_BACKEND="${KERAS_BACKEND:-jax}"

# run SCRIPT ARGUMENT...: runs a script of this folder, or prints the command, each word in quotes.
run() {
    script=$1
    shift
    if [ -z "$dry" ]; then python "$top/scripts/$script" "$@"; return; fi
    printf "python 'scripts/%s'" "$script"
    printf " '%s'" "$@"
    printf '\n'
}

[ -e "$runs/packs/pack-2.npz" ] || run pack_training.py "$data" "$runs/packs" --packs 2
run train_packed.py --packs "$runs/packs" --out "$runs/trained" --state "$runs/state" --what detail fpi \
    --start "$top/mood/weights/mix-brain/model.weights.h5" --batch 4 --minutes "$detail" "$fpi" --deadline 3600
run install_weights.py "$runs/trained" "$data" "$runs/weights"
for view in axial coronal sagittal; do
    run train_packed.py --packs "$runs/packs" --out "$runs/further/$view" --state "$runs/further/state-$view" \
        --what detail --from "$runs/weights/detail-brain/model.weights.h5" --scanners 6 --room 0 --batch 4 \
        --set "views=[\"$view\"]" --minutes "$view_minutes" --deadline 3600
done
run install_weights.py "$runs/further" "$data" "$runs/weights"
