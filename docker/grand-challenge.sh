#!/bin/sh
# The entry point at grand-challenge.org: one scan from /input, its map and score to /output. Arguments go to
# mood submit grand-challenge.
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 3
# shellcheck source=docker/environment.sh
. "$here/environment.sh"
scratch=$(make_scratch /output) || { echo "mood: No folder for temporary files can be written." >&2; exit 2; }
trap 'rm -rf -- "$scratch"' EXIT
use_scratch "$scratch"
mood submit grand-challenge "$@"
