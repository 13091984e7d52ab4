#!/usr/bin/env bash
# Installs what is missing, and only that. Quiet when nothing is.
#
#   scripts/deps.sh build   what Tailrace is built with: Swift (checked, not installed) and Debian packages
#   scripts/deps.sh test    what its tests need besides: python packages in .venv-test
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.venv-test"
swift_needed=6.1

fail() {
    echo "deps.sh: $*" >&2
    exit 1
}

# True when version $1 is at least $2.
at_least() {
    [[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" == "$2" ]]
}

check_swift() {
    local advice="install Swift $swift_needed or newer: https://www.swift.org/install/linux/"
    command -v swift >/dev/null || fail "swift was not found in PATH; $advice"
    local version
    version="$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+(\.[0-9]+)*).*/\1/p' | head -n 1)"
    [[ -n "$version" ]] || fail "swift --version says nothing; is $(command -v swift) a whole toolchain? $advice"
    at_least "$version" "$swift_needed" || fail "Swift $version is too old; $advice"
}

# Debian packages whose pkg-config file is missing; pkg-config itself where that is missing.
missing_packages() {
    if ! command -v pkg-config >/dev/null; then
        echo pkg-config librdkafka-dev libzstd-dev libxxhash-dev zlib1g-dev
        return
    fi
    local packages=()
    pkg-config --exists 'rdkafka >= 2.0' || packages+=(librdkafka-dev)
    pkg-config --exists libzstd || packages+=(libzstd-dev)
    pkg-config --exists libxxhash || packages+=(libxxhash-dev)
    pkg-config --exists zlib || packages+=(zlib1g-dev)
    echo "${packages[*]}"
}

# Installs the Debian packages given.
install_packages() {
    local by_hand="install the development files of: $*"
    command -v apt-get >/dev/null || fail "this is no Debian; $by_hand"
    local as_root=()
    if [[ "$(id -u)" != 0 ]]; then
        command -v sudo >/dev/null || fail "root is needed, and there is no sudo: apt-get install $*"
        as_root=(sudo)
    fi
    echo "installing Debian packages: $*"
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
    "${apt[@]}" update >/dev/null || echo "deps.sh: apt-get update failed; trying with the package lists that are here" >&2
    "${apt[@]}" install --yes --no-install-recommends "$@" >/dev/null || fail "apt-get could not install: $*"
}

build() {
    check_swift
    local missing
    missing="$(missing_packages)"
    [[ -z "$missing" ]] && return
    # Names of packages have no spaces.
    # shellcheck disable=SC2086
    install_packages $missing
    missing="$(missing_packages)"
    [[ -z "$missing" ]] || fail "still missing after the installation: $missing (librdkafka must be 2.0 or newer)"
}

tests() {
    if [[ ! -x "$venv/bin/python" ]] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        install_packages python3 python3-venv
    fi
    [[ -x "$venv/bin/python" ]] || echo "setting up .venv-test: a Kafka broker and the OpenTelemetry SDK for tests"
    "$root/scripts/real-broker.sh" setup
    if ! "$venv/bin/python" -c 'import opentelemetry.sdk.trace, opentelemetry.exporter.otlp.proto.http, grpc' 2>/dev/null; then
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
            opentelemetry-sdk opentelemetry-exporter-otlp-proto-http grpcio ||
            fail "pip could not install the OpenTelemetry SDK and grpcio"
    fi
    if ! "$venv/bin/python" -c 'import jsonschema' 2>/dev/null; then
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check jsonschema ||
            fail "pip could not install jsonschema"
    fi
}

case "${1:-}" in
build) build ;;
test) tests ;;
*) fail "usage: scripts/deps.sh build | test" ;;
esac
