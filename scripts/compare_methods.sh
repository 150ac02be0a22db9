#!/bin/sh
# Measures the released FPI weights beside the intensity atlas on healthy scans with synthetic outliers planted.
# usage: sh scripts/compare_methods.sh brain|abdom TRAINING_SCANS VALIDATION_SCANS OUTPUT_FOLDER
# The atlas is made from TRAINING_SCANS; the cases from VALIDATION_SCANS, which no method was trained on: each scan
# once as it is and once with each kind of outlier. What is there already is not made again.
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
[ $# -eq 4 ] || { echo "usage: sh $0 brain|abdom TRAINING_SCANS VALIDATION_SCANS OUTPUT_FOLDER" >&2; exit 2; }
region=$1 training=$2 validation=$3 out=$4
sh "$top/scripts/setup.sh"
mood() { "$top/.venv/bin/python" -m mood "$@"; }

[ -d "$out/$region/toy_label" ] || mood toy -o "$out" --region "$region" --from "$validation"
mood train -i "$training" -o "$out/atlas-weights" --region "$region" --method atlas --epochs 1 --held-out 1
mood predict -i "$out/$region/toy" -o "$out/atlas" --region "$region" --method atlas --weights "$out/atlas-weights"
mood predict -i "$out/$region/toy" -o "$out/fpi" --region "$region" --method fpi
mood evaluate -l "$out/$region/toy_label" -p "atlas=$out/atlas" -p "fpi=$out/fpi" --json "$out/scores.json"
