#!/usr/bin/env bash
# Builds the image from a fresh wheel and runs the command in it, as a user without rights.
# Where no docker answers it says so and ends well: nothing was found wrong.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! docker info >/dev/null 2>&1; then
    echo "skipped: no docker daemon answers here"
    exit 0
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python -m pip wheel --quiet --no-deps --wheel-dir "$work/dist" .
docker build --quiet --file docker/Dockerfile --tag istsbench:check "$work/dist"

version="$(python -c 'import istsbench; print(istsbench.__version__)')"
test "$(docker run --rm istsbench:check --version)" = "istsbench $version"
mkdir "$work/out"
docker run --rm --user "$(id -u):$(id -g)" --volume "$work/out:/work" istsbench:check \
    run --methods tophat,mpcm,pixelgame-slim --dataset synthetic
test -s "$work/out/results/synthetic/table_vi.csv"
echo "the image istsbench:check works"
