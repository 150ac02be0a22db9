#!/bin/sh
# Prints the name of the base image to build on: debian:bookworm-slim where it is present or can be pulled, else a
# local stand-in made from Debian's packages (needs root and mmdebstrap). The stand-in trusts the certificate
# authorities of this machine, so an image built on it is for testing and is never published.
# usage: sh scripts/ci_base_image.sh
set -eu
suite=bookworm
official=debian:$suite-slim
stand_in=mood-base-stand-in:$suite

present() { docker image inspect "$1" >/dev/null 2>&1; }
if present "$official" || timeout 120 docker pull --quiet "$official" >/dev/null 2>&1; then
    echo "$official"
    exit 0
fi
if present "$stand_in"; then
    echo "$stand_in"
    exit 0
fi

echo "ci_base_image: no registry is reachable; making $stand_in from Debian's packages" >&2
command -v mmdebstrap >/dev/null || {
    echo "ci_base_image: mmdebstrap is missing. apt-get install mmdebstrap, or docker pull $official." >&2
    exit 3
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/authorities"
cp /usr/local/share/ca-certificates/*.crt "$work/authorities/" 2>/dev/null || true

# This machine's own package sources when it runs the same release, since they are known to be reachable.
sources=''
if grep -qs "^VERSION_CODENAME=$suite\$" /etc/os-release; then
    for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
        if [ -s "$file" ]; then sources=$file; break; fi
    done
fi

# In the hooks $1 is the new root folder.
# shellcheck disable=SC2016
mmdebstrap --quiet --variant=minbase --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include=usr-is-merged \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --aptopt='Acquire::Languages "none"' \
    --customize-hook='mkdir -p "$1/usr/local/share/ca-certificates"' \
    --customize-hook="cp '$work'/authorities/*.crt \"\$1/usr/local/share/ca-certificates/\" || true" \
    --customize-hook='rm -rf "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/* "$1"/var/log/apt' \
    "$suite" "$work/base.tar" ${sources:+"$sources"} >"$work/log" 2>&1 </dev/null || {
    tail -n 30 "$work/log" >&2
    exit 3
}
docker import --change 'CMD ["bash"]' \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    "$work/base.tar" "$stand_in" >/dev/null
echo "$stand_in"
