# The front door. Each verb installs what it needs first (tools/setup) and can be run straight after a clone.
BUILD ?= build/release
JOBS ?= $(shell n=$$(nproc); echo $$(( n < 8 ? n : 8 )))
ENTENTE = $(BUILD)/bin/entente

.PHONY: help demo build test soak bench check asan tsan mutants fuzz format setup clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## install what is needed, build, and run the main job: two nodes, one agreement, real packets stopped
	@tools/setup build demo
	@$(MAKE) --no-print-directory compile TESTS=OFF
	@$(ENTENTE) demo

test: ## install what is needed, build, and run all tests
	@tools/setup build test
	@$(MAKE) --no-print-directory compile TESTS=ON
	@ctest --test-dir $(BUILD) --output-on-failure -j 2 --no-tests=error

soak: ## the long runs (tools/soak): millions of records and cases where `make test` has thousands
	@tools/setup build test
	@$(MAKE) --no-print-directory compile TESTS=ON
	@tools/soak $(BUILD) $(ARGS)

bench: ## figures beside their peers, in one run
	@tools/setup build bench
	@$(MAKE) --no-print-directory compile TESTS=OFF BENCH=ON BUILD=build/bench
	@bench/run build/bench $(ARGS)

check: ## format, layers and clang-tidy 19 over the whole tree; what CI runs before the tests
	@tools/setup build check
	@tools/check

asan: ## all unit tests under address and undefined-behaviour sanitizers
	@tools/setup build test
	@cmake --preset asan -DENTENTE_TESTS=ON >/dev/null && cmake --build build/asan -j $(JOBS)
	@ctest --test-dir build/asan --output-on-failure -j 2 --no-tests=error

tsan: ## all unit tests under the thread sanitizer
	@tools/setup build test
	@cmake --preset tsan -DENTENTE_TESTS=ON >/dev/null && cmake --build build/tsan -j $(JOBS)
	@TSAN_OPTIONS="suppressions=$(CURDIR)/tests/tsan.supp" ctest --test-dir build/tsan --output-on-failure -j 2 --no-tests=error

fuzz: ## libFuzzer with sanitizers over every reader of untrusted input; FUZZ_SECONDS=60 each
	@tools/setup build fuzz
	@tools/fuzz $(ARGS)

build: ## build only (release)
	@tools/setup build
	@$(MAKE) --no-print-directory compile TESTS=OFF

mutants: ## plant known faults in decision, ledger, exchange and sensor, one at a time; the tests must find each (15 to 30 minutes)
	@$(MAKE) --no-print-directory compile TESTS=ON
	@python3 tools/mutate $(BUILD)

format: ## reformat the sources
	@tools/setup check
	@find src bench tests fuzz -name '*.h' -o -name '*.cc' | xargs clang-format-19 -i

setup: ## install everything that any verb needs
	@tools/setup build demo test bench check fuzz

clean: ## remove build/ (the fetched data set stays)
	@find build -mindepth 1 -maxdepth 1 ! -name data ! -name venv ! -name venv-medallion ! -name venv-opentaxii -exec rm -rf {} + 2>/dev/null || true

# TESTS is only ever switched on here: a demo after a test does not throw the tests' objects away.
.PHONY: compile
compile:
	@mkdir -p build
	@if [ "$(TESTS)" = ON ] || [ ! -f $(BUILD)/CMakeCache.txt ]; then \
	  cmake --preset $(notdir $(BUILD)) -DENTENTE_TESTS=$(or $(TESTS),OFF) -DENTENTE_BENCH=$(or $(BENCH),OFF) > $(BUILD).configure.log 2>&1 || \
	    { cat $(BUILD).configure.log; exit 2; }; fi
	@cmake --build $(BUILD) -j $(JOBS)
