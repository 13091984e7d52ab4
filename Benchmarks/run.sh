#!/usr/bin/env bash
# Measures speed and memory of the release build; docs/benchmarks.md says what the figures mean.
#
#   Benchmarks/run.sh            scanner, window and decisions from memory; no broker needed
#   Benchmarks/run.sh --kafka    also Kafka → pipeline → segments against the raw drain of the same topic, on a real broker
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
swift build -c release --product TailraceBench --quiet
swift build -c release --product tailrace --quiet
work="$(mktemp -d)"
trap 'kill -9 ${broker:-} ${worker:-} 2>/dev/null || true; rm -rf "$work"' EXIT
echo "machine: $(nproc) cores, $(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -n 1), $(awk '/MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo)"
cc -O2 -shared -fPIC -o "$work/malloc_counter.so" Benchmarks/malloc_counter.c
LD_PRELOAD="$work/malloc_counter.so" .build/release/TailraceBench memory
[[ "${1:-}" == "--kafka" ]] || exit 0

scripts/real-broker.sh setup
LD_LIBRARY_PATH="$(scripts/real-broker.sh libdir)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export LD_LIBRARY_PATH
port=$((20000 + RANDOM % 20000))
scripts/real-broker.sh start "$port" >/dev/null 2>&1 &
broker=$!
until .build/release/TailraceBench produce "127.0.0.1:$port" warm 1 >/dev/null 2>&1; do sleep 0.2; done
echo "writing 2 million spans" >&2
spans="$(.build/release/TailraceBench produce "127.0.0.1:$port" bench 130000)"
read -r records seconds cpu <<<"$(.build/release/TailraceBench drain "127.0.0.1:$port" bench)"
awk -v s="$spans" -v t="$seconds" -v c="$cpu" 'BEGIN {printf "raw drain: %.0f spans/s, %.2f CPU-seconds per million spans\n", s / t, c / s * 1e6}'
sed "s|^    brokers:.*|    brokers: 127.0.0.1:$port|; s|^    topic:.*|    topic: bench|" pipelines/kafka-tail-sampling.yaml >"$work/pipeline.yaml"
.build/release/tailrace run "$work/pipeline.yaml" --store "$work/store" --listen "127.0.0.1:$((port + 1))" 2>/dev/null &
worker=$!
read -r seconds counted cpu resident <<<"$(.build/release/TailraceBench watch "$((port + 1))" "$spans")"
awk -v n="$counted" -v t="$seconds" -v s="$spans" -v c="$cpu" -v m="$resident" 'BEGIN {printf "pipeline: %.0f spans/s, %.2f CPU-seconds per million spans (whole process), %d MB resident\n", n / t, c / s * 1e6, m}'
