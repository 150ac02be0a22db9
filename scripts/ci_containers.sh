#!/bin/sh
# Builds the image and makes the checks that need containers: container_check.sh, then submit_check.sh.
# usage: sh scripts/ci_containers.sh [FILE]   (the checks begin once there is FILE)
set -eu
cd "$(dirname "$0")/.."
image=$(sh scripts/ci_image.sh)
until [ -z "${1:-}" ] || [ -e "$1" ]; do sleep 1; done
sh scripts/container_check.sh "$image"
sh scripts/submit_check.sh
