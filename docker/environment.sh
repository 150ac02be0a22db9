# shellcheck shell=sh
# Where Python, Keras, Matplotlib and CUDA may write. Sourced by docker/run.sh, inside the image and outside it.
#
# In a read-only container TensorFlow cannot even be imported until a writable temporary folder is named: only
# /dev/shm (64 MB) and the output folder are there. The first usable of $TMPDIR, /tmp, /dev/shm and the output
# folder gets a private folder, which run.sh removes at the end. Only empty or tiny files ever go there: volumes are
# written beside their final place, in the output folder.

# make_scratch OUTPUT_FOLDER: creates the private folder and prints its path.
make_scratch() {
    for parent in "${TMPDIR:-/tmp}" /tmp /dev/shm "$1"; do
        mktemp -d "$parent/.mood-XXXXXX" 2>/dev/null && return 0
    done
    return 1
}

# use_scratch FOLDER: points everything that writes on its own account at the folder.
use_scratch() {
    # Packages installed with "pip install --user" are found through HOME, which changes below.
    export PYTHONUSERBASE="${PYTHONUSERBASE:-${HOME:-}/.local}"
    export TMPDIR="$1" HOME="$1" KERAS_HOME="$1/keras" MPLCONFIGDIR="$1/matplotlib" XDG_CACHE_HOME="$1/cache"
    export CUDA_CACHE_DISABLE=1 PYTHONDONTWRITEBYTECODE=1
}
