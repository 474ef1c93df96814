# Sourced by the other scripts: where things are, and how they fail.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

TARGET=${CARGO_TARGET_DIR:-$PWD/target}
TOOLS=$PWD/.tools

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Installs Python packages into .tools/, those named with their digests and nothing else.
pip_install() {
    "$TOOLS/bin/pip" install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes "$@" ||
        die "Python packages could not be installed ($*)."
}
