#!/bin/sh
# Builds an image and runs the four challenge scripts in it on toy samples with damaged scans among them: as the
# organisers do, and with every right taken away. Checks each prediction, each exit status and what is left behind.
# usage: sh scripts/container_check.sh [IMAGE]   (an IMAGE that is named is checked as it is, and none is built)
# VARIANT (default cpu, else cpu-lean or gpu) is the image that is built, SIDE (default 64) the side of the toy samples
# in voxels.
set -eu
cd "$(dirname "$0")/.."
image=${1:-}
side=${SIDE:-64}
strict='--read-only --network none --memory 8g --cap-drop ALL --security-opt no-new-privileges'
python=.venv/bin/python

docker info >/dev/null || {
    echo "container_check: no Docker engine answers. Start one, or: bash scripts/ci_engine.sh sh $0" >&2
    exit 3
}
sh scripts/setup.sh

[ -n "$image" ] || image=$(sh scripts/ci_image.sh)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
if [ "$(id -u)" -eq 0 ]; then user=1000 group=1000; else user=$(id -u) group=$(id -g); fi
: > "$work/failures"

# Damaged scans: one that is cut off (its shape can still be read) and one that is no NIfTI at all.
damaged='cut_off.nii.gz not_nifti.nii.gz'
"$python" -m mood toy -o "$work/toy" --side "$side" --cases 2
for region in brain abdom; do
    scans=$work/toy/$region/toy
    first=$(find "$scans" -name '*.nii.gz' | sort | head -n 1)
    head -c $(($(wc -c < "$first") / 2)) "$first" > "$scans/cut_off.nii.gz"
    echo 'not a scan' > "$scans/not_nifti.nii.gz"
    chmod -R a+rX "$scans"
done

log=$work/log  # of the last container; each of two regions at once has its own
fail() { echo "  FAILED $*"; echo "$*" >> "$work/failures"; }
show_log() { sed 's/^/  | /' "$log"; }

# new_output NAME USER GROUP: an empty output folder that belongs to the user, in $output.
new_output() {
    output="$work/out $1"
    mkdir "$output"
    [ "$(id -u)" -ne 0 ] || chown "$2:$3" "$output"
}

# call NAME WANTED_STATUS DOCKER_ARGUMENT...: runs the container, times it, keeps its output in $log.
call() {
    name=$1 wanted=$2
    shift 2
    start=$(date +%s)
    status=0
    docker run --rm "$@" >"$log" 2>&1 </dev/null || status=$?
    echo "$name: exit status $status, $(($(date +%s) - start)) s"
    [ "$status" -eq "$wanted" ] || { fail "$name: exit status $status instead of $wanted"; show_log; }
}

# check MODE REGION UID: the predictions in $output.
check() {
    # shellcheck disable=SC2086
    if ! "$python" scripts/check_predictions.py --mode "$1" -i "$work/toy/$2/toy" -o "$output" --uid "$3" \
        --unreadable $damaged; then
        fail "$name: predictions"
        show_log
    fi
    for scan in $damaged; do
        grep -q "$scan" "$log" || fail "$name: the log does not name $scan"
    done
}

# as_organisers MODE REGION [DOCKER_ARGUMENT...]: as root, with the scans mounted so that they can be written.
as_organisers() {
    mode=$1 region=$2
    shift 2
    new_output "organisers $mode $region" 0 0
    call "organisers $mode $region" 0 --read-only "$@" -v "$work/toy/$region/toy:/mnt/data" \
        -v "$output:/mnt/pred" "$image" "/workspace/run_${mode}_$region.sh" /mnt/data /mnt/pred
    check "$mode" "$region" 0
}

# strictly NAME MODE REGION METHOD DOCKER_ARGUMENT...: as nobody, with no right that is not needed.
strictly() {
    title=$1 mode=$2 region=$3 method=$4
    shift 4
    new_output "$title" "$user" "$group"
    # shellcheck disable=SC2086
    call "$title" 0 $strict --user "$user:$group" "$@" -v "$work/toy/$region/toy:/mnt/data:ro" \
        -v "$output:/mnt/pred" "$image" sh "/workspace/run_${mode}_$region.sh" /mnt/data /mnt/pred
    check "$mode" "$region" "$user"
    grep -q "scored with $method" "$log" || fail "$title: the log does not say that $method was used"
}

# Each of the four scripts with the least rights, and so little shared memory that no volume could pass through it, and
# one of a region as the organisers call them; brains with a quick method, for the default takes as long as all others.
# Joint and mix are the regions' defaults, others are chosen by the environment; the ensemble runs FPI and ASC-Net. Once
# not even shared memory can be written: temporary files go to the output folder.
small='--shm-size 256k'
none='--mount type=tmpfs,destination=/dev/shm,tmpfs-mode=0555'
check_region() {
    log=$work/log.$1
    # shellcheck disable=SC2086
    case $1 in
        brain)
            as_organisers sample brain -e MOOD_METHOD=mix
            strictly "no temporary folder" pixel brain joint $none
            strictly "fpi brain" sample brain fpi $small -e MOOD_METHOD=fpi
            strictly "ensemble brain" pixel brain ensemble $small -e MOOD_METHOD=ensemble
            ;;
        abdom)
            as_organisers pixel abdom
            strictly "strict abdom" sample abdom mix $small
            strictly "ascnet abdom" pixel abdom ascnet $small -e MOOD_METHOD=ascnet
            strictly "ensemble abdom" pixel abdom ensemble $small -e MOOD_METHOD=ensemble
            ;;
    esac
}
check_region brain &
brain=$!
check_region abdom

# Every bad kind of scan between good ones.
new_output "every bad kind" "$user" "$group"
mkdir -p "$work/toy/bad/toy"
first=$(find "$work/toy/abdom/toy" -name 'toy_*.nii.gz' | head -n 1)
cp "$first" "$work/toy/bad/toy"
damaged=$("$python" scripts/bad_scans.py "$first" "$work/toy/bad/toy")
chmod -R a+rX "$work/toy/bad"
# shellcheck disable=SC2086
call "every bad kind" 0 $strict --user "$user:$group" -v "$work/toy/bad/toy:/mnt/data:ro" \
    -v "$output:/mnt/pred" "$image" sh /workspace/run_pixel_abdom.sh /mnt/data /mnt/pred
check pixel bad "$user"

scans=$work/toy/brain/toy
# Python is killed while it starts: every scan still gets a score, and the evaluation goes on.
new_output "starved" "$user" "$group"
call "starved of memory" 0 --read-only --network none --user "$user:$group" --memory 100m --memory-swap 100m \
    -v "$scans:/mnt/data:ro" -v "$output:/mnt/pred" \
    "$image" sh /workspace/run_sample_brain.sh /mnt/data /mnt/pred
grep -q 'memory ran out' "$log" || { fail "no word about memory"; show_log; }
[ "$(awk '{ print $1 + 0 }' "$output"/*.txt | sort -u)" = 0.5 ] || fail "scores other than 0.5"
[ "$(find "$output" -type f | wc -l)" -eq "$(find "$scans" -name '*.nii.gz' | wc -l)" ] || fail "not one file a scan"

call "wrong call" 2 --read-only "$image" sh /workspace/run_pixel_brain.sh /mnt/data
call "no input folder" 3 --read-only "$image" sh /workspace/run_pixel_brain.sh /nowhere /dev/shm/out
call "mood info" 0 --read-only --network none --tmpfs /tmp "$image" mood info
wait "$brain"

# What the tutorials do with Docker, as they are written.
docker tag "$image" mood
.venv/bin/pytest tests/test_tutorials.py -k Docker >"$work/log" 2>&1 || { cat "$work/log"; echo tutorials >>"$work/failures"; }

if [ -s "$work/failures" ]; then
    echo "container_check: $(wc -l < "$work/failures") FAILED" >&2
    exit 1
fi
echo "container_check: all passed"
