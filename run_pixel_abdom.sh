#!/bin/sh
# Challenge entry: one map for each abdominal scan. usage: sh run_pixel_abdom.sh INPUT_FOLDER OUTPUT_FOLDER
exec sh "$(dirname -- "$(readlink -f -- "$0")")/docker/run.sh" pixel abdom "$@"
