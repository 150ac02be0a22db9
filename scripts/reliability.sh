#!/bin/sh
# The reliability table of docs/reliability.md: each row is printed by what checked it.
# usage: sh scripts/reliability.sh [short]   (short: minutes instead of an hour, as CI runs it)
set -u
cd "$(dirname "$0")/.." || exit
python=${PYTHON:-.venv/bin/python}
export PYTHONPATH="$PWD" OMP_NUM_THREADS=1 TF_CPP_MIN_LOG_LEVEL=3
points=100 minutes=10 scans=200
if [ "${1:-}" = short ]; then points=4 minutes=0.3 scans=20; fi

failed=''
# row TITLE COMMAND...: one row of the table, the last line that the command prints.
row() {
    title=$1
    shift
    log=$(mktemp)
    status=0
    "$@" >"$log" 2>&1 || status=$?
    printf '| %s | %s |\n' "$title" "$(tail -n 1 "$log")"
    [ "$status" -eq 0 ] || { failed=yes; cat "$log" >&2; }
    rm -f "$log"
}
tests() { "$python" -m pytest -p no:cacheprovider "$@"; }

echo '| what | result |'
echo '| --- | --- |'
row 'orientations and placements of one scan (tests/test_conform.py)' tests tests/test_conform.py
row 'headers and files as people have them (tests/inputs)' tests tests/inputs
row 'numbered faults (tests called test_fault_NN)' tests tests -k fault_
row 'ended by SIGKILL (scripts/kill_test.py)' "$python" scripts/kill_test.py --points "$points"
row 'ended by SIGTERM (scripts/kill_test.py)' "$python" scripts/kill_test.py --points "$points" --signal TERM
row 'damaged files (scripts/fuzz.sh)' "$python" scripts/fuzz.py "$minutes"
row 'many scans in one process (scripts/soak.py --method mix)' "$python" scripts/soak.py --scans "$scans" --method mix
[ -z "$failed" ]
