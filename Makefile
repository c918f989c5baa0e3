# The two commands are `make demo` and `make test`; both set themselves up.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
WIRE := $(wildcard protos/seq2sum/protocol/*.proto)
FILES := $(wildcard protos/seq2sum_serving/configuration/*.proto)
# Relative options of protoc, so that generated code names no folder of a machine.
PROTOC = $(BIN)/python -m grpc_tools.protoc -I protos

.PHONY: help setup setup-system demo docs format test test-quick test-alone test-server test-others test-ray check \
	check-generated check-deploy check-containers check-python313 check-lowest check-wheels generate fuzz bench-training bench-seeds bench-graph bench-startup \
	bench-client bench-server bench-call bench-rest bench-batching bench-capacity \
	bench-stops capacity performance search-small soak \
	soak-rollout soak-balancing pictures recording page-pictures dist version sbom certs lock audit clean

help: ## Show this help
	@echo "seq2sum: train, export, serve, roll out"
	@awk -F ':.*## ' '/^\#\#@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Everyday
demo: setup ## Train, export, serve and call the model, with every command shown (3 min)
	@$(BIN)/python tools/demo.py

test-quick: setup ## Run the tests without TensorFlow and without server processes (90 s)
	$(BIN)/python -m pytest --quick --numprocesses 2 --dist worksteal

# Three processes share two cores: the first computes, the others mostly wait for servers. They
# share the versions that tests train.
test: setup ## Run all tests (15 min)
	@export SEQ2SUM_TEST_ARTIFACTS=$$(mktemp -d) && trap 'rm -rf "$$SEQ2SUM_TEST_ARTIFACTS"' EXIT && \
		$(MAKE) --no-print-directory --jobs 3 --output-sync=line test-alone test-server test-others

SERVER_TESTS := tests/conformance tests/embedded tests/fuzz

test-alone:
	$(BIN)/python -m pytest -m "end_to_end or not (server or system)" --ignore=tests/training tests

test-server:
	$(BIN)/python -m pytest -m "(server or system) and not end_to_end" $(SERVER_TESTS)
	$(BIN)/python -m pytest tests/training

test-others:
	$(BIN)/python -m pytest -m "(server or system) and not end_to_end" \
		$(addprefix --ignore=,$(SERVER_TESTS) tests/training) tests

test-ray: setup .venv-ray/.done ## Test the example of Ray Data, in a separate environment (600 MB)
	$(BIN)/python -m pytest tests/examples/test_ray.py

.venv-ray/.done: client/pyproject.toml
	@$(PYTHON) -m venv --clear .venv-ray
	@.venv-ray/bin/python -m pip install --quiet --editable ./client 'ray[data]==2.60.0'
	@touch $@

format: setup ## Format the code and sort the imports
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

setup: .venv/.done ## Make .venv with the three distributions and the tools

# pip is updated first: the release that comes with Python 3.11 does not support dependency groups.
.venv/.done: constraints.txt pyproject.toml client/pyproject.toml training/pyproject.toml serving/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "seq2sum needs Python 3.11 or newer; name one with: make PYTHON=python3.11"; exit 1; }
	@echo "setting up .venv (downloads about 700 MB the first time, most of it TensorFlow)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --upgrade pip
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev \
		--editable ./client --editable ./training --editable './serving[embedded,native]'
	@touch $@

# In a separate environment: Zensical needs nothing of the project, and no test needs Zensical.
docs: .venv-docs/.done ## Build the documentation as a site in site/ (1 min)
	@.venv-docs/bin/python tools/docs_site.py
	@.venv-docs/bin/zensical build --strict --clean

.venv-docs/.done: constraints.txt pyproject.toml
	@$(PYTHON) -m venv --clear .venv-docs
	@.venv-docs/bin/python -m pip install --quiet --constraint constraints.txt --upgrade pip
	@.venv-docs/bin/python -m pip install --quiet --constraint constraints.txt --group docs
	@touch $@

clean: ## Remove .venv, dist, site and caches; runs/ and models/ stay
	rm -rf .venv .venv-docs .venv-ray dist build/docs site .cache .generated .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Checks
check: setup check-generated ## Lint, types, import contracts, wording, generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin --no-warn-unreachable --cache-dir .mypy_cache/darwin
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/check_wording.py
	$(BIN)/python tools/version.py

check-generated: setup
	@rm -rf .generated && mkdir .generated
	@$(PROTOC) --python_out=.generated --pyi_out=.generated $(WIRE) $(FILES)
	@for made in client/src/seq2sum/protocol serving/src/seq2sum_serving/configuration; do \
		diff -r --exclude=__init__.py --exclude=__pycache__ .generated/$${made#*/src/} $$made \
		|| { echo "generated code is not current: run make generate"; exit 1; }; done
	@rm -rf .generated

check-deploy: setup ## Validate what production runs: compose, Kubernetes, Envoy, alerts, dashboards, locks
	$(BIN)/python -m pytest tests/deploy
	$(BIN)/python tools/audit.py --if-reached

# It brings an engine of its own if there is none: images and containers are removed at the end.
check-containers: setup ## Run docker-compose.yml in a container engine, profile by profile (12 min)
	$(BIN)/python -m pytest --capture=no -m containers tests/containers

check-python313: ## Tests and a short demo on Python 3.13, in a Debian made for it if need be (10 min)
	@PYTHONPATH=tests $(PYTHON) tools/check_python.py $(or $(VERSION),3.13)

check-lowest: setup ## Test client, rollouts and probe with the oldest supported dependencies (3 min)
	@$(BIN)/python tools/check_lowest.py

check-wheels: setup ## Resolve the dependencies for every platform; prints a table (1 min)
	@$(BIN)/python tools/check_wheels.py

fuzz: setup ## Random requests and invariants, or two servers compared (5 min); MINUTES, SEED, CASE
	PYTHONPATH=tests $(BIN)/python -m fuzz --minutes $(or $(MINUTES),5) \
		$(if $(SEED),--seed $(SEED)) $(if $(CASE),--case $(CASE)) $(FUZZ)

generate: setup ## Generate code from protos/, and Kubernetes' copy of the alerts
	$(PROTOC) --python_out=client/src --pyi_out=client/src $(WIRE)
	$(PROTOC) --python_out=serving/src --pyi_out=serving/src $(FILES)
	$(BIN)/python tools/prometheus_rule.py

# Tests that need a missing tool are skipped with its name; with CI=true they fail.
SYSTEM_TOOLS := chromium curl h2load prometheus
setup-system: ## Install what some tests use of Debian: a browser, curl, h2load, Prometheus
	@for tool in $(SYSTEM_TOOLS); do command -v $$tool >/dev/null || missing="$$missing $${tool/h2load/nghttp2-client}"; done; \
		[ -z "$$missing" ] || { root=$$([ "$$(id -u)" = 0 ] || echo "sudo -n"); \
		$$root apt-get update -qq && $$root apt-get install -y -qq --no-install-recommends $$missing >/dev/null; }


##@ Benchmarks
# Benchmarks and tests share the helpers in tests/support.
BENCH := PYTHONPATH=tests $(BIN)/python -m benchmarks

bench-training: setup ## Exact match against CPU time: the tutorial and our recipes (10 min)
	$(BENCH).training.exact_match

bench-seeds: setup ## Errors in a million, 40 seeds of fast and 10 of default; resumable (60 min)
	$(BENCH).training.seeds

bench-graph: setup ## The serving graph against stock Keras, by batch size (2 min)
	$(BENCH).graph

bench-startup: setup ## Start-up of the server, and help of the tools, by stages (3 min)
	$(BENCH).startup

bench-client: setup ## Every style of calling a server, against tensorflow-serving-api and raw gRPC (4 min)
	$(BENCH).client

bench-server: setup ## Both gRPC servers of the embedded server, with h2load (8 min)
	$(BENCH).server

bench-rest: setup ## REST against gRPC on the embedded server, with h2load (3 min)
	$(BENCH).rest

bench-call: setup ## The parts of a call in process, without gRPC (1 min)
	$(BENCH).call

bench-batching: setup ## Find batching parameters and write the servers' batching file (9 min)
	$(BENCH).batching --write

bench-capacity: setup ## Memory of a server by versions and in bursts, bytes per call (2 min)
	$(BENCH).capacity.measure

bench-stops: setup ## Stop servers 50 times under load; fails if a call fails (6 min)
	$(BENCH).stops

search-small: setup ## Find the smallest network that makes no error in a million (60 min)
	$(BENCH).training.small_networks

pictures: setup ## Draw the pictures of all results again, without measuring anything (5 s)
	$(BENCH).pictures

recording: setup ## Record a rollout on real servers as the pictures in docs/pictures (3 min)
	PYTHONPATH=tests $(BIN)/python tools/record_rollout.py

soak: setup ## The server under load, swaps and abuse for ten minutes; MINUTES=2 for less
	$(BENCH).soak --minutes $(or $(MINUTES),10)

soak-rollout: setup ## Rollouts under 100,000 calls and kills (15 min); CALLS=10000 for fewer
	$(BENCH).rollout --calls $(or $(CALLS),100000)

soak-balancing: setup ## Envoy and round_robin while servers are killed and added (2 min)
	$(BENCH).balancing

page-pictures: setup ## Take the pictures of the server's page, of the model that make demo exports (2 min)
	PYTHONPATH=tests $(BIN)/python tools/page_pictures.py

##@ Releases
dist: setup ## Build wheels and source archives into dist/, check them, and install them (1 min)
	@$(BIN)/python tools/distributions.py

version: setup ## Check that every file names the same version; TO=0.2.0 sets a new one
	@$(BIN)/python tools/version.py $(TO)

sbom: setup ## Bill of materials of each image, as CycloneDX JSON, into dist/sbom
	@$(BIN)/python tools/sbom.py

##@ Production
certs: setup ## Certificates for development, in certs/; CERTS="--help" for its options
	@$(BIN)/python tools/certs.py $(CERTS)

lock: setup ## Pin what goes into the images, by hash, within constraints.txt (3 min)
	@$(BIN)/python tools/lock.py

audit: setup ## Known vulnerabilities of what the locks pin; asks an advisory service
	@$(BIN)/python tools/audit.py

capacity: setup ## Update docs/capacity.md from the results; RATE="250000" prints other rates
	$(BENCH).capacity.page $(if $(RATE),--rate $(RATE))

performance: setup ## Update docs/performance.md from the results
	$(BENCH).performance
