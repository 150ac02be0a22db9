#!/bin/sh
# Challenge entry: one score for each brain scan. usage: sh run_sample_brain.sh INPUT_FOLDER OUTPUT_FOLDER
exec sh "$(dirname -- "$(readlink -f -- "$0")")/docker/run.sh" sample brain "$@"
