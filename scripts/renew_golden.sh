#!/bin/sh
# Stores the maps and scores that the packaged weights give now, on Keras, as those that tests/weights/test_golden.py
# expects; then checks them on every engine. Say in the commit what changed and why.
# usage: sh scripts/renew_golden.sh
set -eu
cd "$(dirname "$0")/.."
rm -f tests/weights/golden.json
.venv/bin/python -m pytest tests/weights/test_golden.py -k keras --renew-golden
.venv/bin/python -m pytest tests/weights/test_golden.py
git diff --stat -- tests/weights/golden.json
