#!/bin/sh
# Builds the image that container_check.sh checks, and prints its name; what happens goes to the standard error.
# usage: sh scripts/ci_image.sh
# VARIANT (default cpu, else cpu-lean or gpu) is what is built, BASE_IMAGE (default see ci_base_image.sh) what on.
set -eu
cd "$(dirname "$0")/.."
variant=${VARIANT:-cpu}
image=mood:check-$variant
base=${BASE_IMAGE:-$(sh scripts/ci_base_image.sh)}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

echo "ci_image: building $image on $base" >&2
version=$(.venv/bin/python -m setuptools_scm 2>/dev/null || echo 0+unknown)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
start=$(date +%s)
docker build --build-arg VARIANT="$variant" --build-arg VERSION="$version" --build-arg REVISION="$revision" \
    --build-arg BASE_IMAGE="$base" -t "$image" . >"$log" 2>&1 </dev/null || {
    cat "$log" >&2
    exit 1
}
bytes=$(docker image inspect --format '{{.Size}}' "$image")
echo "ci_image: built in $(($(date +%s) - start)) s, $((bytes / 1000000)) MB" >&2
echo "$image"
