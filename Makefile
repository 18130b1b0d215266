VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
export CGO_ENABLED = 0

# The server, static.
build:
	go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/streamsql ./cmd/streamsql

# Windows updating live in the terminal over sample streams; needs only Go.
demo: build
	bin/streamsql demo
