#!/bin/sh
# Every check that needs no container: style, layers, types, tests. Arguments go to pytest.
# usage: sh scripts/test.sh [PYTEST_ARGUMENT...]
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh
bin=$PWD/.venv/bin
step() {
    echo "test: $*" >&2
    tool=$1
    shift
    "$bin/$tool" "$@"
}

step ruff check .
step ruff format --check .
step lint-imports
step mypy
# A process a core, each with one thread; the tests of one file stay together, because they share what is slow to make.
export TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1
# A process that was lost ends the run: its tests would never be given to another one.
step pytest -n auto --max-worker-restart 0 --dist loadfile --no-loadscope-reorder "$@"
