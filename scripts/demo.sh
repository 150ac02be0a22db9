#!/bin/sh
# Everything once, from nothing: makes toy samples of both regions, runs the four challenge scripts on them as the
# challenge would, scores what they wrote, and makes pages to look at.
# usage: sh scripts/demo.sh [FOLDER]   (default ./demo, which is made anew each time)
# DEMO_SIDE (default 128) is the side of the samples in voxels, DEMO_CASES (default 4) their number a region. The
# challenge's own sizes are 256 (brain) and 512 (abdomen).
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
demo=${1:-$top/demo}
sh "$top/scripts/setup.sh"
mood() { "$top/.venv/bin/python" -m mood "$@"; }
say() { printf '\n== %s\n' "$*"; }

[ $# -gt 0 ] || rm -rf -- "$demo"
mkdir -p -- "$demo"
demo=$(CDPATH='' cd -- "$demo" && pwd -P)
if [ -e "$demo/predictions" ]; then
    echo "demo: $demo holds an earlier demo. Remove it, or name another folder: sh $0 FOLDER" >&2
    exit 2
fi

say "making toy samples in $demo/data"
mood toy -o "$demo/data" --side "${DEMO_SIDE:-128}" --cases "${DEMO_CASES:-4}"

for region in brain abdom; do
    for mode in sample pixel; do
        say "run_${mode}_$region.sh"
        sh "$top/run_${mode}_$region.sh" "$demo/data/$region/toy" "$demo/predictions/$region"
    done
done

for region in brain abdom; do
    say "scores, $region"
    mood evaluate -l "$demo/data/$region/toy_label" -p "mood=$demo/predictions/$region"
done

for weights in joint-brain mix-abdom; do # the defaults, which the scripts took
    region=${weights#*-}
    say "pages to look at, $region"
    mood report -i "$demo/data/$region/toy" -p "$demo/predictions/$region" -l "$demo/data/$region/toy_label" \
        -r "$region" --weights "$top/mood/weights/$weights" -o "$demo/report/$region"
done
say "the predictions are in $demo/predictions; what they show is in $demo/report/brain/index.html"
