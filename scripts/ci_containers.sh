#!/bin/sh
# Builds the image and makes the checks that need containers: container_check.sh and, beside it, submit_check.sh.
# usage: sh scripts/ci_containers.sh
set -eu
cd "$(dirname "$0")/.."
image=$(sh scripts/ci_image.sh)
log=$(mktemp)
sh scripts/submit_check.sh >"$log" 2>&1 &
submit=$!
status=0
sh scripts/container_check.sh "$image" || status=$?
wait "$submit" || status=$?
cat "$log"
rm -f "$log"
exit "$status"
