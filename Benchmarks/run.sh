#!/usr/bin/env bash
# Measures speed and memory of the release build; docs/benchmarks.md says what the figures mean.
#
#   Benchmarks/run.sh            scanner, window, decisions and segments from memory (ordo-one/benchmark); no broker needed
#   Benchmarks/run.sh --kafka    also Kafka → pipeline → segments beside the raw drain of the same topic, on a real broker
#
# Environment: BENCH_RUNS (3) runs of drain and pipeline, of which medians are printed; BENCH_SPANS (4000000) in the topic.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
runs="${BENCH_RUNS:-3}"
wanted="${BENCH_SPANS:-4000000}"
work="$(mktemp -d)"
trap 'kill -9 ${broker:-} ${worker:-} 2>/dev/null || true; rm -rf "$work"' EXIT
echo "machine: $(nproc) cores, $(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -n 1), $(awk '/MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo), load $(cut -d' ' -f1 /proc/loadavg)"

swift build -c release --package-path Benchmarks --quiet
cc -O2 -shared -fPIC -o "$work/malloc_counter.so" Benchmarks/malloc_counter.c
LD_PRELOAD="$work/malloc_counter.so" swift package --package-path Benchmarks benchmark --no-progress
[[ "${1:-}" == "--kafka" ]] || exit 0

# shellcheck source=Benchmarks/broker.sh
source Benchmarks/broker.sh
build_programs
start_separate_broker
echo "writing $wanted spans to the broker" >&2
spans="$("$bench" produce "$address" bench "$wanted")"

# Each run drains the topic with librdkafka alone and then with the pipeline, which joins a group of its own (the broker
# takes about 20 seconds for that; they are not counted).
for ((run = 1; run <= runs; run++)); do
    read -r _ raw_seconds raw_cpu <<<"$("$bench" drain "$address" bench)"
    sed "s|^    brokers:.*|    brokers: $address|; s|^    topic:.*|    topic: bench|; s|^    group:.*|    group: bench-$run|" \
        pipelines/kafka-tail-sampling.yaml >"$work/pipeline.yaml"
    .build/release/tailrace run "$work/pipeline.yaml" --store "$work/store-$run" --listen "127.0.0.1:$((port + run))" \
        2>"$work/worker.log" &
    worker=$!
    if ! watched="$("$bench" watch "$((port + run))" "$spans")"; then
        tail -n 5 "$work/worker.log" >&2
        exit 1
    fi
    read -r seconds cpu resident <<<"$watched"
    kill -9 "$worker"
    wait "$worker" 2>/dev/null || true
    worker=
    rm -rf "$work/store-$run"
    awk -v n="$spans" -v rt="$raw_seconds" -v rc="$raw_cpu" -v t="$seconds" -v c="$cpu" -v m="$resident" \
        'BEGIN {printf "%.0f %.3f %.0f %.3f %.3f %d\n", n / rt, rc / n * 1e6, n / t, c / n * 1e6, rt / t, m}' |
        tee -a "$work/kafka" |
        awk -v r="$run" '{printf "run %d: raw drain %d spans/s, pipeline %d spans/s (%.0f %%)\n", r, $1, $3, $5 * 100}'
done
median() { sort -n -k"$1,$1" "$work/kafka" | awk -v k="$1" '{v[NR] = $k} END {print v[int((NR + 1) / 2)]}'; }
echo "Kafka, $spans spans, medians of $runs runs:"
echo "  raw drain: $(median 1) spans/s, $(median 2) CPU-seconds per million spans"
echo "  pipeline:  $(median 3) spans/s, $(median 4) CPU-seconds per million spans (whole process, start included), $(median 6) MB resident"
echo "  ratio of the two in the same run: $(median 5)"
