# The whole interface for working on Weir. Each target sets up what it needs; a second run uses no network.
.PHONY: help setup build up demo test check bench bench-queries fuzz cloudflare-check

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/ —/'

setup: ## bring the pinned tools and packages into .tools/ and node_modules/
	@infra/tools/setup.sh

build: ## release build: target/release/weir and the edge worker
	@infra/tools/build.sh

up: build ## run everything on this machine
	@target/release/weir up

demo: build ## run everything with a real access log and live page views
	@target/release/weir demo

test: ## all tests
	@infra/tools/test.sh

check: ## format, lints, docs, types
	@infra/tools/check.sh

bench: build ## measure; prints a table
	@cargo run --release -p weir-tests --bin weir-bench

bench-queries: setup ## queries on a year of 999 sites, beside ClickHouse (half an hour)
	@infra/tools/bench-queries.sh

fuzz: setup ## fuzz every parser, a minute each: make fuzz SECONDS_EACH=600
	@infra/tools/fuzz.sh all $(or $(SECONDS_EACH),60)

cloudflare-check: build ## check that the worker deploys to Cloudflare (wrangler --dry-run)
	@infra/tools/wrangler-dry-run.sh
