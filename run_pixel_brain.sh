#!/bin/sh
# Challenge entry: one map for each brain scan. usage: sh run_pixel_brain.sh INPUT_FOLDER OUTPUT_FOLDER
exec sh "$(dirname -- "$0")/docker/run.sh" pixel brain "$@"
