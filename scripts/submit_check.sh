#!/bin/sh
# Builds tiny images with one fault each, and sees that mood submit check finds it; runs the image for
# grand-challenge.org where one of mood is there to build it on. Needs a Docker engine.
# usage: sh scripts/submit_check.sh   (bash scripts/ci_engine.sh sh scripts/submit_check.sh starts an engine for it)
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh
docker info >/dev/null || {
    echo "submit_check: no Docker engine answers. Start one, or: bash scripts/ci_engine.sh sh $0" >&2
    exit 3
}
sh scripts/ci_base_image.sh >/dev/null
.venv/bin/python -m pytest tests/submission/test_planted_faults.py tests/submission/test_grand_challenge.py \
    -k 'planted or container'
