#!/bin/sh
# Installs dciodvfy, the verifier of DICOM objects, where this is Debian and it is missing.
set -eu
if ! command -v dciodvfy >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends dicom3tools >/dev/null
fi
command -v dciodvfy
