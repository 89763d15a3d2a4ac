# The whole interface for working on Weir. Each target sets up what it needs; a second run uses no network.
.PHONY: help setup build up demo test check bench bench-queries chaos fuzz audit sbom cloudflare-check

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

check: ## format, lints, licences, docs, types
	@infra/tools/check.sh

bench: build ## measure; prints a table
	@cargo run --release -p weir-tests --bin weir-bench

bench-queries: setup ## queries on a year of 999 sites, beside ClickHouse (half an hour)
	@infra/tools/bench-queries.sh

chaos: ## break a region at random for 20 minutes: make chaos CHAOS="--seed 7 --minutes 5" (all faults as root on Linux)
	@infra/tools/chaos.sh $(CHAOS)

fuzz: setup ## fuzz every parser, a minute each: make fuzz SECONDS_EACH=600
	@infra/tools/fuzz.sh all $(or $(SECONDS_EACH),60)

audit: setup ## ask the advisory databases about crates and npm packages (needs a network)
	@infra/tools/deny.sh advisories

sbom: setup ## the bill of materials: target/sbom/weir.cdx.json (CycloneDX)
	@infra/tools/sbom.sh

cloudflare-check: build ## check that the worker deploys to Cloudflare (wrangler --dry-run)
	@infra/tools/wrangler-dry-run.sh
