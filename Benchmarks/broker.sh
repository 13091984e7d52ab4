# Sourced by the scripts beside it: a broker for one benchmark, and the programs it needs. Expects $work, a directory.
# Sets $bench, $port (free, as are the next ones), $address and $broker, its process.

build_programs() {
    # shellcheck disable=SC2086
    swift build -c release --product StepBench --quiet ${BENCH_BUILD_OPTIONS:-}
    # shellcheck disable=SC2086
    swift build -c release --product tailrace --quiet ${BENCH_BUILD_OPTIONS:-}
    bench=.build/release/StepBench
    scripts/real-broker.sh setup
    LD_LIBRARY_PATH="$(scripts/real-broker.sh libdir)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    export LD_LIBRARY_PATH
    port=$((20000 + RANDOM % 20000))
}

# A broker in a process of its own (tansu), in memory.
start_separate_broker() {
    scripts/real-broker.sh start "$port" >/dev/null 2>&1 &
    broker=$!
    address="127.0.0.1:$port"
    local tries=0
    until "$bench" produce "$address" warm 1 >/dev/null 2>&1; do
        ((++tries < 100)) || { echo "$0: the broker did not start" >&2; exit 1; }
        sleep 0.2
    done
}

# librdkafka's broker in a process of its own, with a topic `bench` of $1 partitions of 5 MB each.
start_embedded_broker() {
    "$bench" broker bench "$1" >"$work/broker" &
    broker=$!
    until [[ -s "$work/broker" ]]; do sleep 0.1; done
    address="$(<"$work/broker")"
}
