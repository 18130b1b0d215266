# make demo       windows updating live in the terminal; needs only Go
# make test       everything, against a real Kafka and a real PostgreSQL
# make test-short what needs only Go, in under three minutes
#
# make chaos ROUNDS=200 SEED=7   breaks Kafka, PostgreSQL and the server, and compares every result
# make bench-peers               measures beside bare readers, Flink and PostgreSQL
#
# Each test binary has a time limit, so that a hang fails with a stack trace instead of lasting for ever.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
export CGO_ENABLED = 0

# Tests that start servers have the build tag integration; `invariants` checks the contract of
# exec/stream around every operator.
TAGS     = integration,invariants
FUZZTIME = 3000x
SOAK     = 3m

# Of chaos; SEED=0 is a new one.
ROUNDS = 20
SEED   = 0

# Packages whose goroutines share memory; the race detector needs a C compiler.
CONCURRENT = ./exec ./exec/agg ./state/... ./wire ./sql/engine/... ./connectors/kafka/... ./cmd/...

.PHONY: build demo test test-short test-deps race lint fuzz oracle chaos chaos-short chaos-fast bench bench-peers bench-short soak load cover clean

# The server, static.
build:
	go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/streamsql ./cmd/streamsql

# Windows updating live in the terminal over sample streams; needs only Go.
demo: build
	bin/streamsql demo

test: test-deps lint
	go test -tags $(TAGS) -timeout 12m ./...
	$(MAKE) race
	$(MAKE) fuzz
	$(MAKE) chaos-short
	$(MAKE) bench-short

test-short: lint
	go test -short -timeout 3m ./...

# PostgreSQL is the oracle of expressions and queries; Kafka comes through Maven and runs on Java.
test-deps:
	@.ci/deps

race: test-deps
	CGO_ENABLED=1 go test -race -short -timeout 12m $(CONCURRENT)
	CGO_ENABLED=1 go test -race -tags $(TAGS) -timeout 12m ./connectors/postgres

lint:
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "run gofmt -w on:" $$unformatted; exit 1; fi
	go vet -tags $(TAGS) ./...
	go test -count 1 -run 'TestImports|TestFileLengths' .

# Each target for FUZZTIME, runs or a duration: make fuzz FUZZTIME=5m. What was found before runs in every test.
fuzz:
	@grep -rlE '^func Fuzz' --include=*_test.go . | xargs -n 1 dirname | sort -u | while read -r dir; do \
	  for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9]+' $$dir/*_test.go | cut -d' ' -f2); do \
	    echo "go test -fuzz ^$$f$$ -fuzztime $(FUZZTIME) $$dir"; \
	    go test -short -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -timeout 30m $$dir || exit 1; \
	  done; \
	done

# Servers in simulated worlds: crashes, broken disks and networks, errors of the broker, on a clock that
# jumps: make chaos-fast ROUNDS=5000 SEED=1. A world that fails says how to repeat it.
chaos-fast: ROUNDS = 1000
chaos-fast:
	$(if $(filter-out 0,$(SEED)),STREAMSQL_SEED=$(SEED)) go test -count 1 -timeout 0 ./sql/engine/simtest -sim.rounds $(ROUNDS)

# Random typed expressions, compared with PostgreSQL.
oracle: test-deps
	go test -count 1 -v -run Oracle -timeout 60m ./exec/expr -oracle.n 100000

# A real Kafka, a real PostgreSQL, and faults; see docs/testing.md. CHAOSFLAGS=-long stops processes for up to a minute.
chaos: test-deps build
	go run ./cmd/streamsql/chaos -rounds $(ROUNDS) -seed $(SEED) $(CHAOSFLAGS)

# The same in about two minutes, for every run of the tests.
chaos-short: test-deps build
	go run ./cmd/streamsql/chaos -rounds 8 -keep 4 -seed $(or $(STREAMSQL_SEED),0)

# Side by side on one machine, which should be quiet: the engine, bare readers, Flink SQL, PostgreSQL.
# Half an hour; BENCHFLAGS='-only windowed -rounds 1' is a part of it. What is printed goes to docs/performance.md.
bench-peers: build
	@.ci/deps jdk
	go run ./cmd/streamsql/bench $(BENCHFLAGS)

# The same without Flink.
bench: test-deps build
	go run ./cmd/streamsql/bench -flink=false $(BENCHFLAGS)

# Whether the comparison runs and all results are right, in about a minute, for every run of the tests.
bench-short: test-deps build
	go run ./cmd/streamsql/bench -rounds 1 -records 200000 -flink=false -latency-rate 2000 -latency-seconds 4 -state 50000000 -point-seconds 2 $(BENCHFLAGS)

# Steady jobs over compressed time: twelve simulated hours in the first minutes. Fails when memory,
# goroutines, files or disk grow.
soak:
	go run ./cmd/streamsql/load -soak $(SOAK) -keys 20000 -rate 50000 -step 10ms -budget 256

# State under load, without Kafka: make load LOADFLAGS="-query text -keys 10000000 -rows 20000000 -budget 512".
load:
	go run ./cmd/streamsql/load $(LOADFLAGS)

cover:
	go test -short -coverpkg ./... -coverprofile cover.out -timeout 10m ./...
	go tool cover -func cover.out | tail -n 1

clean:
	rm -rf bin cover.out
