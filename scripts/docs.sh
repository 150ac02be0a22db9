#!/bin/sh
# The documents as a site that works from a folder and without a network, in build/site. A warning is an error, the
# notebooks run, and no page may ask another host for anything.
# usage: sh scripts/docs.sh
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh
NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet --strict
if grep -rlE --include='*.html' '<(script|link|img|iframe)[^>]* (src|href)="?(https?:)?//' build/site; then
    echo "docs: the pages above ask another host for something" >&2
    exit 1
fi
echo "docs: build/site/index.html"
