#!/bin/sh
# Challenge entry: one map for each brain scan. usage: sh run_pixel_brain.sh INPUT_FOLDER OUTPUT_FOLDER
exec sh "$(dirname -- "$(readlink -f -- "$0")")/docker/run.sh" pixel brain "$@"
