#!/bin/sh
# Mutation testing: changes the kernels in small ways, one at a time, and runs the tests at the mirrored path. What
# survives is a line that no test holds. Prints each survivor as a patch, and the share that was caught.
# usage: sh scripts/mutation.sh [MODULE...]     a MODULE is a path within mood without .py, e.g. evaluation/metrics
# Needs mutmut (in the dev extra). Takes some minutes a module; on one processor.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- calibration methods/scoring resampling conform evaluation/metrics synthesis/fpi synthesis/augmentation
python=${PYTHON:-$PWD/.venv/bin/python}
export TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R mood tests scripts pyproject.toml "$work"
rm -rf "$work"/mood/weights/*-*

failed=0
for module in "$@"; do
    tests="tests/$(dirname "$module")/test_$(basename "$module").py"
    cat pyproject.toml - >"$work/pyproject.toml" <<EOF

[tool.mutmut]
source_paths = ["mood"]
only_mutate = ["mood/$module.py"]
also_copy = ["tests", "scripts"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]
pytest_add_cli_args_test_selection = ["$tests"]
EOF
    (
        cd "$work"
        rm -rf mutants
        "$python" -m mutmut run --max-children 1 >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; exit 1; }
        "$python" - "$module" <<'EOF'
import subprocess
import sys

rows = subprocess.run([sys.executable, "-m", "mutmut", "results", "--all", "true"], capture_output=True, text=True)
states = dict(line.strip().rsplit(": ", 1) for line in rows.stdout.splitlines() if ": " in line)
survivors = [name for name, state in states.items() if state in ("survived", "no tests")]
for name in survivors:
    print(subprocess.run([sys.executable, "-m", "mutmut", "show", name], capture_output=True, text=True).stdout)
caught = sum(state in ("killed", "timeout", "segfault", "caught by type check") for state in states.values())
print(f"mutation: {sys.argv[1]}: {caught} of {len(states)} caught, {len(survivors)} survived", flush=True)
EOF
    ) || failed=1
done
exit "$failed"
