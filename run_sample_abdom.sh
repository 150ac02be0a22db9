#!/bin/sh
# Challenge entry: one score for each abdominal scan. usage: sh run_sample_abdom.sh INPUT_FOLDER OUTPUT_FOLDER
exec sh "$(dirname -- "$(readlink -f -- "$0")")/docker/run.sh" sample abdom "$@"
