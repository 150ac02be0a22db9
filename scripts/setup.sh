#!/bin/sh
# Creates .venv at the top of the project from the hashed lock file and installs mood into it, editable.
# Does nothing when the environment is already up to date. PYTHON names the interpreter (default python3, 3.11 or newer).
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
lock=docker/requirements-dev.lock

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "setup: $python is not Python 3.11 or newer. Install it, or name one: PYTHON=/path/to/python3.11 sh $0" >&2
    exit 2
}
stamp=.venv/lock.sha256
fingerprint=$(sha256sum < "$lock")
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$fingerprint" ]; then exit 0; fi

echo "setup: creating .venv: several hundred MB of downloads the first time, two minutes or so without a word" >&2
"$python" -m venv .venv
# Not compiled: of all these modules a fifth is ever imported, and Python keeps what it compiles then.
.venv/bin/python -m pip install --quiet --no-compile --no-deps --only-binary=:all: --require-hashes -r "$lock"
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
printf '%s\n' "$fingerprint" > "$stamp"
echo "setup: done; this puts mood on the path: . $PWD/.venv/bin/activate" >&2
