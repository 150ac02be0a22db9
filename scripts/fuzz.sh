#!/bin/sh
# Damaged and hostile scan files against reading, conforming and predicting, for MINUTES; scripts/fuzz.py says how.
# usage: sh scripts/fuzz.sh MINUTES [--keep FOLDER] [--seed N]
set -eu
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1
exec .venv/bin/python scripts/fuzz.py "$@"
