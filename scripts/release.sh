#!/bin/sh
# Makes everything that a release consists of, from a clean clone of the last commit, in a folder: wheel (built twice,
# which must give the same bytes), sdist, bills of materials and licences of all that is depended on, documents,
# checksums. Without --dry-run the commit must bear a tag (v0.2.0), the slow tests run first, and the images are built
# and packed too. Nothing is published; what would be is printed at the end.
# usage: sh scripts/release.sh [--dry-run] [FOLDER]   (default runs/release)
set -eu
cd "$(dirname "$0")/.."
dry='' folder=runs/release
for word in "$@"; do
    case $word in
        --dry-run) dry=yes ;;
        -*) sed -n '6s/^# //p' "$0" >&2; exit 2 ;;
        *) folder=$word ;;
    esac
done
python=${PYTHON:-$PWD/.venv/bin/python}
variants='cpu cpu-lean gpu'
stop() { status=$1; shift; echo "release: $*" >&2; exit "$status"; }

[ -x "$python" ] || stop 3 "There is no $python. Run scripts/setup.sh first."
mkdir -p "$folder" || stop 2 "The folder cannot be made: $folder."
folder=$(cd "$folder" && pwd -P)
[ -z "$(ls -A "$folder")" ] || stop 2 "The folder is not empty: $folder. Name another, or empty it."
[ "$dry" ] || git describe --tags --exact-match HEAD >/dev/null 2>&1 ||
    stop 2 "The last commit bears no tag. Tag it (git tag v0.2.0), or add --dry-run."
[ "$dry" ] || [ -z "$(git status --porcelain)" ] || stop 2 "There are changes that are not committed."
[ "$dry" ] || sh scripts/test.sh -m slow >&2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
umask 022

# clone NAME: the last commit and the tags, and nothing else.
clone() { git clone --quiet "$PWD" "$work/$1"; }
# build KIND CLONE FOLDER: by the build backend itself, with what is installed here.
build() {
    (cd "$work/$2" && "$python" -c "import sys, setuptools.build_meta as b; b.build_$1(sys.argv[1])" "$3") \
        >"$work/log" 2>&1 || { cat "$work/log" >&2; stop 1 "The $1 could not be built."; }
}

clone first
clone second
mkdir "$work/again"
build wheel first "$folder"
build wheel second "$work/again"
cmp "$folder"/*.whl "$work/again"/*.whl || stop 1 "Two builds of the wheel differ."
build sdist first "$folder"
version=$(basename "$folder"/*.tar.gz .tar.gz)
version=${version#*-}
git archive --format=tar --prefix="mood-ood-$version-docs/" HEAD README.md CHANGELOG.md CITATION.cff LICENSE docs |
    gzip -n > "$folder/mood-ood-$version-docs.tar.gz"
"$python" scripts/lock_bill.py "$version" "$folder"
"$python" scripts/licences.py > "$folder/licences.md"

if [ -z "$dry" ]; then
    for variant in $variants; do
        docker build --build-arg VARIANT="$variant" --build-arg VERSION="$version" \
            --build-arg REVISION="$(git rev-parse HEAD)" -t "mood:$version-$variant" "$work/first" >&2
        "$python" -m mood submit pack "mood:$version-$variant" --name "mood:$version-$variant" -o "$folder/$variant"
    done
fi
(cd "$folder" && find . -type f ! -name SHA256SUMS | LC_ALL=C sort | xargs sha256sum > "$work/sums" &&
    mv "$work/sums" SHA256SUMS)
echo "release: mood-ood $version is in $folder; the wheel was built twice with the same bytes"
echo "release: to publish it: git push --tags; twine upload $folder/*.whl $folder/mood_ood-$version.tar.gz"
