#!/usr/bin/env bash
# Train mix3d and FPI for the brain on a machine with a GPU, in pieces of less than ten minutes.
#
#     scripts/train_gpu.sh DATA RUNS [minutes of mix3d] [minutes of FPI]
#
# DATA holds brain/healthy and MANIFEST.csv; RUNS keeps the packs, the state, and the weights folders at the end. The
# GPU machine needs Python with JAX (or another backend of Keras), keras, nibabel, h5py and scipy, this repository, and
# RUNS/packs (two files of about 27 MB); where it is another one than this, run the steps apart and copy RUNS between.
# Given again, the training goes on where it stopped.
set -euo pipefail
data=$1 runs=$2 mix3d=${3:-5.5} fpi=${4:-2.3}
cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD
[ -e "$runs/packs/pack-2.npz" ] || python scripts/pack_training.py "$data" "$runs/packs" --packs 2
KERAS_BACKEND=${KERAS_BACKEND:-jax} python scripts/train_packed.py --packs "$runs/packs" --out "$runs/trained" \
  --state "$runs/state" --what mix3d fpi --minutes "$mix3d" "$fpi" --deadline 3600
python scripts/install_weights.py "$runs/trained" "$data" "$runs/weights"
