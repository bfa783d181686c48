# The commands a newcomer needs. Each does its own set-up: git, make, a C compiler and npm are enough.
#   make demo    build, then GW170814 from nothing to demo/report.html: bank, inference, the answer beside the published one
#   make test    build, then all tests; the last line is `N passed, N failed`
#   make build   dist/dotpe-hpc, one file with everything inside
#   make bench   time kernels, stages and runs; BENCH='--size full --json new.json' passes options on
#   make check   formatter, linter, type checker
#   make torture, make fuzz, make soak    runs that are killed, files that are spoilt, thousands of runs: see CONTRIBUTING.md

.PHONY: build demo test bench check torture fuzz soak
.DELETE_ON_ERROR:

BUN := node_modules/.bin/bun
MODULES := node_modules/.package-lock.json
KERNELS := build/kernels/.done
BINARY := dist/dotpe-hpc
SOURCES := $(shell find src -name '*.ts') build.ts package.json tsconfig.json

build: $(BINARY)

demo: $(BINARY)
	$(BINARY) demo demo

test: $(BINARY)
	@$(BUN) test/run-all.ts

bench: $(BINARY)
	$(BINARY) bench $(BENCH)

check: $(MODULES)
	node_modules/.bin/biome check .
	node_modules/.bin/tsc --noEmit

torture: $(BINARY)
	$(BUN) test/torture/main.ts $(TORTURE)

fuzz: $(BINARY)
	$(BUN) test/fuzz/run.ts $(FUZZ)

soak: $(BINARY)
	$(BUN) test/torture/soak.ts $(SOAK)

# npm may refuse to run install scripts, so the one that is needed (it puts bun's executable in place) is run by name.
$(MODULES): package-lock.json
	@command -v npm > /dev/null || { echo "error: npm not found; install Node.js 20 or newer" >&2; exit 1; }
	npm ci --ignore-scripts --loglevel=error
	node node_modules/bun/install.js
	touch $@

$(KERNELS): $(wildcard src/kernels/c/*)
	CC="$(CC)" sh src/kernels/c/build.sh build/kernels
	touch $@

$(BINARY): $(MODULES) $(KERNELS) $(SOURCES)
	$(BUN) build.ts
