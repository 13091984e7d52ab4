#!/usr/bin/env bash
# What durability costs and what it is worth, on a real broker and the release build; docs/benchmarks.md has the figures.
#
#   Benchmarks/durability.sh fsync       the pipeline's throughput with and without waiting for the disk, by turns
#   Benchmarks/durability.sh recovery    kill -9 under load: how much is read again, and how fast
#
# Environment: BENCH_RUNS (3), BENCH_SPANS (4000000) of `fsync`; BENCH_RATE (100000 spans/s), BENCH_SECONDS (60) before the
# kill, BENCH_WINDOW (30s) of `recovery`; BENCH_BROKER: `separate` (tansu) or, of `recovery`, `embedded` (librdkafka's, in a
# process of its own; records are compressed with lz4, since it keeps 5 MB per partition and BENCH_PARTITIONS (256) of them).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work="$(mktemp -d)"
trap 'kill -9 ${broker:-} ${worker:-} ${producer:-} 2>/dev/null || true; rm -rf "$work"' EXIT

# shellcheck source=Benchmarks/broker.sh
source Benchmarks/broker.sh
build_programs
compression=none
if [[ "${BENCH_BROKER:-separate}" == embedded ]]; then
    compression=lz4
    start_embedded_broker "${BENCH_PARTITIONS:-256}"
else
    start_separate_broker
fi

# pipeline GROUP WINDOW
pipeline() {
    sed "s|^    brokers:.*|    brokers: $address|; s|^    topic:.*|    topic: bench|; s|^    group:.*|    group: $1\n    session_timeout: 6s|
        s|^    window:.*|    window: $2|" pipelines/kafka-tail-sampling.yaml >"$work/pipeline.yaml"
}

# metric PORT NAME: the sum of its samples; fails while the worker does not answer
metric() {
    curl -sf "127.0.0.1:$1/metrics" | awk -v n="$2" 'index($1, n "{") == 1 || $1 == n {s += $2; f = 1} END {if (!f) exit 1; printf "%.0f", s}'
}

now() { date +%s.%N; }

fsync() {
    local runs="${BENCH_RUNS:-3}" spans
    cc -O2 -shared -fPIC -o "$work/no_fsync.so" Benchmarks/no_fsync.c
    # Written over 30 s, so that windows of some seconds close while the topic is read and kept traces reach the disk.
    spans="${BENCH_SPANS:-4000000}"
    echo "writing $spans spans in 30 s" >&2
    spans="$("$bench" produce "$address" bench "$spans" "$((spans / 30))")"
    for ((run = 1; run <= runs; run++)); do
        for mode in on off; do
            pipeline "$mode-$run" "{ max: 5s, settle: 1s, idle: 2s, max_bytes: 2GiB }"
            LD_PRELOAD="$([[ $mode == on ]] || echo "$work/no_fsync.so")" .build/release/tailrace run "$work/pipeline.yaml" \
                --store "$work/store" --listen "127.0.0.1:$((port + run))" 2>"$work/worker.log" &
            worker=$!
            read -r seconds cpu _ <<<"$("$bench" watch "$((port + run))" "$spans")"
            flushes="$(metric "$((port + run))" tailrace_flushes_total || echo 0)"
            kill -9 "$worker"
            wait "$worker" 2>/dev/null || true
            rm -rf "$work/store"
            awk -v r="$run" -v m="$mode" -v n="$spans" -v t="$seconds" -v c="$cpu" -v f="$flushes" \
                'BEGIN {printf "run %d, fsync %s: %.0f spans/s, %.2f CPU-seconds per million, %d flushes\n", r, m, n / t, c / n * 1e6, f}' |
                tee -a "$work/fsync"
        done
    done
    for mode in on off; do
        grep "fsync $mode" "$work/fsync" | awk '{print $5}' | sort -n | awk -v m="$mode" '{v[NR] = $1} END {print m, v[int((NR + 1) / 2)]}'
    done | awk '{v[$1] = $2} END {printf "medians: %d spans/s with fsync, %d without: %.0f %%\n", v["on"], v["off"], v["on"] / v["off"] * 100}'
}

recovery() {
    local rate="${BENCH_RATE:-100000}" seconds="${BENCH_SECONDS:-60}" window="${BENCH_WINDOW:-30s}" listen=$((port + 1))
    pipeline recovery "{ max: $window, settle: $window, idle: $window, max_bytes: 8GiB }"
    "$bench" produce "$address" bench "$((rate * (seconds + 120)))" "$rate" "$compression" >/dev/null &
    producer=$!
    sleep 2
    .build/release/tailrace run "$work/pipeline.yaml" --store "$work/store" --listen "127.0.0.1:$listen" 2>"$work/first.log" &
    worker=$!
    until [[ "$(metric "$listen" tailrace_records_total || echo 0)" -gt 0 ]]; do sleep 0.5; done
    sleep "$seconds"
    records="$(metric "$listen" tailrace_records_total)"
    spans="$(metric "$listen" tailrace_spans_received_total)"
    position="$(metric "$listen" tailrace_partition_position_offset)"
    watermark="$(metric "$listen" tailrace_partition_watermark_offset)"
    kill -9 "$worker"
    killed="$(now)"
    wait "$worker" 2>/dev/null || true
    listen=$((port + 2))
    .build/release/tailrace run "$work/pipeline.yaml" --store "$work/store" --listen "127.0.0.1:$listen" 2>"$work/second.log" &
    worker=$!
    # Caught up when less than half a second of traffic is left. A record has 3 to 4 spans.
    read -r begun again again_records caught caught_records <<<"$("$bench" recover "$listen" "$position" "$((rate / 7))")"
    awk -v r="$rate" -v k="$killed" -v b="$begun" -v a="$again" -v ar="$again_records" -v c="$caught" -v cr="$caught_records" \
        -v records="$records" -v spans="$spans" -v p="$position" -v w="$watermark" 'BEGIN {
            each = spans / records
            printf "at the kill: %.0f spans behind the watermark (%.1f s of traffic)\n", (p - w) * each, (p - w) * each / r
            printf "the group gave the partitions to the new worker %.1f s after the kill\n", b - k
            printf "read again in %.1f s: %.0f spans/s\n", a, ar * each / a
            printf "caught up %.1f s after the first record: %.0f spans, %.0f spans/s\n", c, cr * each, cr * each / c
        }'
}

case "${1:-}" in
fsync) fsync ;;
recovery) recovery ;;
*) sed -n '2,8p' "$0" >&2; exit 64 ;;
esac
