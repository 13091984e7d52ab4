# Tailrace's tasks. `make` lists them.
#
#   ARGS     options for `make up` and `make bench`:   make up ARGS="--rate 100 --data /tmp/tailrace"
#   FILTER   the tests that `make test` runs:           make test FILTER=KafkaTests
#   SEEDS, SOAK_SECONDS   how long `make soak` and `make soak-kill` run

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

program := .build/release/tailrace
formatted := $(wildcard Sources Tests Benchmarks)
ARGS ?=
FILTER ?=

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: deps
deps: ## install what is missing to build: Debian packages; checks for Swift
	@scripts/deps.sh build

.PHONY: build
build: deps ## build the program, optimised: .build/release/tailrace
	@if [[ -x $(program) && -z "$$(find Package.swift Sources -newer $(program) -print -quit)" ]]; then \
	    swift build -c release --product tailrace --quiet; \
	else \
	    [[ -x $(program) ]] || echo "building $(program); the first time takes some minutes"; \
	    swift build -c release --product tailrace; \
	fi

.PHONY: up
up: build ## run everything in one process, with an embedded broker and demo traffic
	@$(program) up $(ARGS)

.PHONY: test-deps
test-deps: deps ## install what the tests need besides: a real broker and the OpenTelemetry SDK, in .venv-test
	@scripts/deps.sh test

# The real broker speaks a protocol that is too new for Debian 12's librdkafka, hence LD_LIBRARY_PATH.
.PHONY: test
test: test-deps lint ## check the format, then run every test, also those against a real broker
	@swift build --build-tests
	@TAILRACE_REAL_BROKER=1 \
	    LD_LIBRARY_PATH="$$(scripts/real-broker.sh libdir)$${LD_LIBRARY_PATH:+:$$LD_LIBRARY_PATH}" \
	    swift test --skip-build --disable-xctest --no-parallel $(if $(FILTER),--filter '$(FILTER)')

.PHONY: reference
reference: build ## write docs/pipeline.schema.json and docs/reference.md from the declarations
	@$(program) schema > docs/pipeline.schema.json
	@$(program) schema --markdown > docs/reference.md

SEEDS ?= 20000
SOAK_SECONDS ?= 1200
.PHONY: soak
soak: ## simulate crashes, zombies and bad disks in SEEDS worlds (docs/simulation.md)
	@swift build -c release --product TailraceSoak --quiet
	@.build/release/TailraceSoak --seeds $(SEEDS) --minimise $(ARGS)

.PHONY: soak-kill
soak-kill: ## real workers, one killed every 10 s for SOAK_SECONDS; nothing may be lost or doubled (docs/delivery.md)
	@swift build --build-tests --quiet
	@TAILRACE_SOAK_SECONDS=$(SOAK_SECONDS) .build/debug/tailracePackageTests.xctest --testing-library swift-testing --no-parallel \
		--filter 'ChaosTests/soak'

.PHONY: bench
bench: build ## measure speed and memory; docs/benchmarks.md says what the figures mean
	@if [[ ! -x Benchmarks/run.sh ]]; then echo "make bench: Benchmarks/run.sh is missing" >&2; exit 1; fi
	@Benchmarks/run.sh $(ARGS)

.PHONY: format
format: ## format the Swift code
	@swift format --in-place --recursive --parallel $(formatted)

.PHONY: lint
lint: ## check the format of the Swift code
	@swift format lint --strict --recursive --parallel $(formatted) || \
	    { echo "make lint: 'make format' repairs most of these" >&2; exit 1; }

.PHONY: clean
clean: ## remove what was built and .venv-test; traces in ./data stay
	@rm -rf .build .venv-test
