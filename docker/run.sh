#!/bin/sh
# The body of the four challenge scripts: predicts every scan of a folder.
# usage: sh docker/run.sh sample|pixel brain|abdom INPUT_FOLDER OUTPUT_FOLDER
#
# Exit status: 0 where every scan has its output, if need be one that stands in for it. 1 where one has none. 2 for a
# wrong call or an output folder that cannot be written, 3 for a missing input folder, no scan in it, no Python, no
# weights, or packages that cannot be imported: faults of the set-up, which must show. 130, 143 or 129 when it is told
# to end.
set -u

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 3
top=$(dirname -- "$here")
# shellcheck source=docker/environment.sh
. "$here/environment.sh"

say() { printf 'mood: %s\n' "$*" >&2; }
stop() { status=$1; shift; say "$*"; exit "$status"; }

if [ $# -ne 4 ]; then
    stop 2 "usage: sh run_${1:-MODE}_${2:-REGION}.sh INPUT_FOLDER OUTPUT_FOLDER"
fi
mode=$1 region=$2 input=$3 output=$4

[ -d "$input" ] || stop 3 "The input folder does not exist: $input. Name the folder that holds the .nii.gz scans."
mkdir -p -- "$output" 2>/dev/null && [ -w "$output" ] ||
    stop 2 "The output folder cannot be written: $output. Mount it writable, or choose another."

python=$top/.venv/bin/python
[ -x "$python" ] || python=$(command -v python3) ||
    stop 3 "There is no Python: neither $python nor python3 on PATH. Run scripts/setup.sh first."

scratch=$(make_scratch "$output") || stop 2 "No folder for temporary files can be written. Set TMPDIR to one."
trap 'rm -rf -- "$scratch"' EXIT
# Python is told to end when this script is, and what it leaves is waited for.
child='' stopped=0
# shellcheck disable=SC2329 # by the traps below
pass_on() {
    stopped=$1
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
}
trap 'pass_on 130' INT
trap 'pass_on 143' TERM
trap 'pass_on 129' HUP

# predict: runs Python; its exit status is in $status.
predict() {
    status=0
    (
        trap - INT TERM HUP EXIT
        use_scratch "$scratch"
        export PYTHONPATH="$top${PYTHONPATH:+:$PYTHONPATH}"
        # Weights of one's own, wherever the script is called from.
        export MOOD_RESTORE_DIR="${MOOD_RESTORE_DIR:-$top/restore_dir}"
        exec "$python" "$@"
    ) &
    child=$!
    [ "$stopped" -eq 0 ] || kill -TERM "$child" 2>/dev/null
    wait "$child" || status=$?
    while kill -0 "$child" 2>/dev/null; do  # the wait was cut short by a signal
        status=0
        wait "$child" || status=$?
    done
    child=''
}

# The last resort when Python died: a score of 0.5 for each scan that has none. Maps need Python.
missing=''
fill_in() {
    for scan in "$input"/*.nii.gz; do
        [ -e "$scan" ] || [ -L "$scan" ] || continue
        name=${scan##*/}
        case $mode in
            sample)
                [ -s "$output/$name.txt" ] && continue
                say "$name: no score was made; 0.5 stands in for it"
                printf '0.5\n' > "$output/$name.txt" || missing=yes
                ;;
            pixel) [ -s "$output/$name" ] || { say "$name: no map was made"; missing=yes; } ;;
        esac
    done
}

predict -m mood predict -i "$input" -o "$output" --region "$region" --mode "$mode" --challenge
[ "$stopped" -eq 0 ] || exit "$stopped"

case $status in
    0 | 2 | 3 | 129 | 130 | 143) exit "$status" ;;
    1) # a scan without an output, of which the lines above tell; or Python cannot even begin
        predict -c 'import mood.cli.app, mood.images'
        [ "$status" -eq 0 ] || stop 3 "Python cannot import what it needs. Its last lines above tell why."
        exit 1
        ;;
    137) say "ERROR: Python was killed, most likely because memory ran out. Give the container more memory." ;;
    *) say "ERROR: Python ended with status $status before all scans were done. Its last lines above tell why." ;;
esac
# Outputs are written in folders .partial.* and renamed at the end; what is left in such a folder is cut off.
rm -rf -- "$output"/.partial.*
fill_in
[ -z "$missing" ] || exit 1
exit 0
