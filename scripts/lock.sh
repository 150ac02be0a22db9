#!/bin/sh
# Rewrites the hashed lock files that the image, the local environment and CI install from.
# Needs uv (https://docs.astral.sh/uv). usage: sh scripts/lock.sh
set -eu
cd "$(dirname "$0")/.."
lock() {
    out=$1; shift
    uv pip compile --quiet --generate-hashes --no-annotate --python-version 3.11 \
        --python-platform x86_64-manylinux_2_28 --custom-compile-command "sh scripts/lock.sh" \
        "$@" -o "docker/$out" pyproject.toml docker/build.in
}
lock requirements-cpu.lock --extra cpu
lock requirements-cpu-lean.lock --extra cpu-lean --constraint docker/requirements-cpu.lock
lock requirements-gpu.lock --extra gpu
lock requirements-dev.lock --extra cpu --extra openvino --extra int8 --extra toy --extra dicom --extra onnx --extra docs --extra ray --extra submit --extra dev --constraint docker/requirements-cpu.lock
