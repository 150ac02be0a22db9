#!/bin/sh
# Installs what the tests of the report's pages need, where it is missing: Chromium (Debian's package; needs root) and
# axe-core, the rules of accessibility (npm, into node_modules). Without them those tests are skipped.
# usage: sh scripts/ci_browser.sh
set -eu
cd "$(dirname "$0")/.."
if ! command -v chromium >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null
fi
if [ ! -f node_modules/axe-core/axe.min.js ] && command -v npm >/dev/null; then
    npm install --silent --no-save --no-package-lock --ignore-scripts axe-core@4.14.1
fi
