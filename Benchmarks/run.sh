#!/usr/bin/env bash
# Measures speed and memory of the release build; docs/benchmarks.md says what the figures mean.
#
#   Benchmarks/run.sh            scanner, window and decisions from memory; no broker needed
#   Benchmarks/run.sh --kafka    also Kafka → pipeline → segments against the raw drain of the same topic, on a real broker
#                                (scripts/real-broker.sh setup)
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root/Benchmarks"
swift build -c release --product tailrace-bench --quiet
bench=".build/release/tailrace-bench"
echo "machine: $(nproc) cores, $(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -n 1), $(awk '/MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo)"
"$bench" memory
if [[ "${1:-}" == "--kafka" ]]; then
    port=$((20000 + RANDOM % 20000))
    "$root/scripts/real-broker.sh" setup
    "$root/scripts/real-broker.sh" start "$port" >/dev/null 2>&1 &
    broker=$!
    trap 'kill -9 $broker 2>/dev/null || true' EXIT
    libraries="$("$root/scripts/real-broker.sh" libdir)"
    LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$bench" kafka "127.0.0.1:$port" "$root/.build/release/tailrace"
fi
