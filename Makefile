# One command for each thing one does here. Needs GNU make and Python 3.11 or newer; `make` lists the targets.
# Every target creates what it needs: a .venv and the pinned, hashed requirements, once.

.DEFAULT_GOAL := help
.PHONY: help setup deps web demo run doctor migrate replay replay-data backtest not-the-stack go-over env start stop restart status logs update backup \
	restore compose test chaos soak check bench scale-demo screenshots lint-openapi clean

VENV := .venv
PY := $(VENV)/bin/python
# PYTHON=/path/to/python3 chooses the interpreter the .venv is made from.
PYTHON ?=
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11)
PIP := $(PY) -m pip --disable-pip-version-check --quiet --no-input install --require-hashes
# Debian packages that some tests use; without them those tests are skipped by name.
DEBIAN_PACKAGES := redis-server chromium prometheus
# The dashboard: its sources, and the document that its build leaves last.
WEB := web
WEB_INDEX := app/web_dist/index.html
# 20.19 or newer, but neither 21 nor 22 before 22.12: what the build tool asks for.
NODE_IS_NEW := const [a, b] = process.versions.node.split(".").map(Number); \
	process.exit(a === 20 && b >= 19 || a === 22 && b >= 12 || a > 22 ? 0 : 1)
DATA ?= $(REPLAY_DATA)

help: ## list the targets
	@echo "make TARGET   (PORT=8000 HOST=127.0.0.1 are honoured by demo, run and replay)"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '%-16s %s\n' "$$name" "$$text"; done

setup: $(VENV)/.dev ## create .venv and install everything, tests included

deps: ## print the Debian packages the tests use; as root, install those that are missing
	@echo "Debian packages: $(DEBIAN_PACKAGES)"
	@echo "optional, for the dashboard: Node 20.19 or newer with npm (found $$(node --version 2>/dev/null || echo none))"
	@missing=; for package in $(DEBIAN_PACKAGES); do \
		command -v "$$package" >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	if [ -z "$$missing" ]; then echo "all present"; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then \
		echo "missing:$$missing (as root on Debian, make deps installs them)"; \
	else export DEBIAN_FRONTEND=noninteractive; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing; fi

# Asked for by name, a dashboard that cannot be built is a failure; before a start it is one line, and on it goes.
web: ## build the dashboard when its sources are newer (Node 20.19 or newer and npm)
	@fail() { \
		if [ -f $(WEB_INDEX) ]; then echo "the dashboard stays as it was built: $$1"; \
		else echo "no dashboard: $$1; everything else works"; fi; \
		exit $(if $(filter web,$(MAKECMDGOALS)),1,0); }; \
	why() { grep -m 1 -i error "$$log" || tail -n 1 "$$log"; }; \
	[ -f $(WEB)/package.json ] || fail "its sources are not here"; \
	if [ -f $(WEB_INDEX) ] && [ -z "$$(find $(WEB) -name node_modules -prune -o -newer $(WEB_INDEX) -print)" ]; \
		then exit 0; fi; \
	node -e '$(NODE_IS_NEW)' >/dev/null 2>&1 || \
		fail "Node 20.19 or newer is not here (found $$(node --version 2>/dev/null || echo none))"; \
	npm --version >/dev/null 2>&1 || fail "npm is not here"; \
	log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	echo "building the dashboard"; \
	if ! [ $(WEB)/node_modules/.package-lock.json -nt $(WEB)/package-lock.json ]; then \
		(cd $(WEB) && npm ci --no-audit --no-fund --fetch-retries=1 --fetch-timeout=30000) >"$$log" 2>&1 || fail "npm ci: $$(why)"; fi; \
	(cd $(WEB) && npm run build) >"$$log" 2>&1 || fail "npm run build: $$(why)"; \
	touch $(WEB_INDEX)

demo: $(VENV)/.run web ## the service on a simulated market, no key and no internet needed
	@exec $(PY) -m app.main --demo

run: $(VENV)/.run web ## the service on real providers (keys from the environment or .env; works without any)
	@exec $(PY) -m app.main

# The compose stack reads the same file, but has a database of its own: this host's defaults would be another, empty one.
STACK_ENV := grep -Eqs '^(POSTGRES_PASSWORD|COMPOSE_PROFILES)=.' .env

not-the-stack:
	@if $(STACK_ENV); then echo "this .env is the compose stack's: make status checks it, make start migrates it"; exit 1; fi

doctor: $(if $(findstring --demo,$(ARGS)),,not-the-stack) $(VENV)/.run ## check this deployment: settings, keys, providers, database, Redis, messages; ARGS="--demo"
	@$(PY) -m app.doctor $(ARGS)

migrate: not-the-stack $(VENV)/.run ## bring the database of DATABASE_URL up to this version
	@exec $(PY) -m app.store migrate

replay: replay-data $(VENV)/.run web ## the service on recorded data: DATA=folder START=2025-12-05 [SPEED=60]
	@REPLAY_DATA="$(DATA)" REPLAY_START="$(or $(START),$(REPLAY_START))" \
		REPLAY_SPEED="$(or $(SPEED),$(REPLAY_SPEED))" exec $(PY) -m app.main --replay

replay-data:
	@if [ -z "$(DATA)" ]; then \
		echo "make replay needs the folder with recorded data: make replay DATA=folder START=2025-12-05 SPEED=60"; \
		exit 2; fi
	@if [ ! -d "$(DATA)" ]; then echo "DATA: there is no folder $(DATA)"; exit 2; fi

# Recorded data of its own (DATA=folder), else the folder beside the project, else the simulator's history.
RECORDED := $(or $(DATA),$(wildcard ../shared/data))
backtest: $(VENV)/.run ## what the signals were worth on history: DATA=folder, else recorded data nearby, else simulated; ARGS="--from 2025-12-09"
	@exec $(PY) -m app.backtest $(if $(RECORDED),--data "$(RECORDED)",--demo) $(ARGS)

# The stack of docker-compose.yml; docs/operations.md says more. COMPOSE=... chooses another client.
COMPOSE ?= docker compose
# With all profiles: what was started under another one is stopped, too.
EVERY := $(COMPOSE) --profile single --profile scale --profile alerting
APPS := web worker ingest detect deliver
# They read files of the project that git puts anew; a container keeps the old one until it is made again.
READERS := proxy prometheus grafana
# Scripts are handed over as text, so that it is always this version's that runs; standard input is for dumps.
script = sh -c "$$(cat infra/postgres/$(1))" $(1)
BACKUPS ?= backups
AGAIN = $(MAKE) --no-print-directory -f $(firstword $(MAKEFILE_LIST))

env: ## write .env for the compose stack, with secrets of its own; to one that is there, only secrets it lacks are added
	@sh infra/make-env.sh

compose:
	@$(COMPOSE) version >/dev/null 2>&1 || { \
		echo "the stack needs Docker with the compose plugin ($(COMPOSE) does not answer); docs/operations.md has ways without"; exit 2; }
	@[ -f .env ] || { echo "there is no .env: make env writes one"; exit 2; }

start: compose ## build and start the compose stack, and wait until it is well
	@$(COMPOSE) up --detach --build --wait

stop: compose ## stop the compose stack; its data stays
	@$(EVERY) down --remove-orphans

restart: compose ## start web and workers again, with .env as it is now; databases go on
	@$(EVERY) rm --stop --force $(APPS)
	@$(COMPOSE) up --detach --wait

status: compose ## what of the compose stack runs, and whether it is well
	@$(COMPOSE) ps --all
	@$(COMPOSE) exec -T web python -m app.doctor

logs: compose ## follow the logs of the compose stack; SERVICE=worker for one
	@$(COMPOSE) logs --follow --tail=200 $(SERVICE)

# An older version must not write while tables change; without a change of tables nothing is stopped beforehand.
update: compose ## fetch and build the newest version and go over to it; with a backup where tables change
	@git pull --ff-only
	@$(AGAIN) go-over

# By the Makefile that was just fetched: what it does fits the new version.
go-over:
	@$(COMPOSE) build --pull
	@if ! $(COMPOSE) run --rm -T migrate python -m app.store status >/dev/null 2>&1; then \
		$(AGAIN) backup && $(EVERY) stop $(APPS); fi
	@$(COMPOSE) up --detach --wait --remove-orphans
	@$(COMPOSE) up --detach --wait --force-recreate --no-deps $(READERS)

backup: compose ## dump the database of the compose stack into backups/ while it runs
	@umask 077; mkdir -p $(BACKUPS); file=$(BACKUPS)/signals-$$(date -u +%Y%m%dT%H%M%SZ).dump; \
	$(COMPOSE) exec -T postgres $(call script,backup.sh) >"$$file.part" || { rm -f "$$file.part"; exit 1; }; \
	$(COMPOSE) exec -T postgres pg_restore --list <"$$file.part" >/dev/null || { rm -f "$$file.part"; exit 1; }; \
	mv "$$file.part" "$$file" && ls -l "$$file"

restore: compose ## put a dump back: FILE=backups/x.dump, an empty database, or FORCE=1 (what is there is dumped first)
	@[ -f "$(FILE)" ] || { echo "make restore needs the dump: make restore FILE=backups/signals-....dump"; exit 2; }
	@$(COMPOSE) up --detach --wait postgres
	@$(COMPOSE) exec -T postgres pg_restore --list <"$(FILE)" >/dev/null
	@$(if $(FORCE),$(AGAIN) backup,$(COMPOSE) exec -T postgres $(call script,restore.sh) --check)
	@$(EVERY) stop $(APPS)
	@$(COMPOSE) exec -T postgres $(call script,restore.sh) $(if $(FORCE),--force) <"$(FILE)"
	@$(COMPOSE) up --detach --wait
	@$(COMPOSE) exec -T web python -m app.store verify
	@$(COMPOSE) exec -T web python -m app.store note-restored "$(notdir $(FILE))"

# A third of what tests do is waiting: one worker more than there are cores.
WORKERS := $(shell $(firstword $(CANDIDATES)) -c 'import os; print((os.cpu_count() or 1) + 1)' 2>/dev/null || echo 2)
# Compiled once for the two hundred processes that tests start, also where the environment lets Python write none.
test: $(VENV)/.dev web ## all tests; ARGS="-k name" passes arguments on, JOBS=1 runs one after the other
	@$(PY) -m compileall -q app migrations
	@$(PY) -m pytest -rs -n $(or $(JOBS),$(WORKERS)) --dist loadfile --no-loadscope-reorder $(ARGS)

# One line of JSON for each figure that a long form measured; `python -m tests.chaos.figures FILE` makes a table.
FIGURES := chaos-figures.jsonl
chaos: $(VENV)/.dev ## the fault tests in their long form (a hundred kills each, half an hour); ARGS="-k r15"
	@rm -f $(FIGURES)
	@CHAOS=full CHAOS_FIGURES=$(CURDIR)/$(FIGURES) $(PY) -m pytest -rs -s tests/chaos tests/end_to_end/test_scale_demo.py $(ARGS)

soak: $(VENV)/.dev ## web and worker under load with random faults; SOAK_S=600 is how long
	@CHAOS=full CHAOS_FIGURES=$(CURDIR)/$(FIGURES) SOAK_S=$(or $(SOAK_S),600) $(PY) -m pytest -rs -s tests/chaos/test_r20_soak.py $(ARGS)

check: $(VENV)/.dev web ## format, lint, types, architecture, the API schema; the pages where they can be built
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m pytest tests/architecture
	$(PY) -m app.api.openapi_lint
	@if [ -d $(WEB)/node_modules ]; then cd $(WEB) && npm run check; \
	else echo "the pages are not checked: they could not be built here"; fi

lint-openapi: $(VENV)/.dev ## the committed API schema against the rules of assistants
	@$(PY) -m app.api.openapi_lint

bench: $(VENV)/.dev ## benchmarks; BENCH=signals runs one
	@$(PY) -m bench $(BENCH)

scale-demo: $(VENV)/.dev ## every role as processes of their own, and the proof of what they share; SECONDS=300 keeps it running
	@exec $(PY) -m bench.scale_demo --seconds $(or $(SECONDS),0) $(ARGS)

screenshots: $(VENV)/.dev web ## pictures of the dashboard into docs/img; needs chromium
	@$(PY) -m docs.screenshots

clean: ## remove .venv, web/node_modules and caches, never data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis $(WEB)/node_modules
	find app migrations tests bench -type d -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.created:
	@found=; for candidate in $(CANDIDATES); do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			found="$$candidate"; break; fi; done; \
	if [ -z "$$found" ]; then \
		echo "Python 3.11 or newer is needed; tried: $(CANDIDATES). Set PYTHON=/path/to/python3"; exit 1; fi; \
	echo "creating $(VENV) with $$found"; \
	"$$found" -m venv $(VENV) || { echo "venv failed: on Debian, apt-get install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.run: requirements.txt | $(VENV)/.created
	@echo "installing requirements.txt"
	@$(PIP) -r requirements.txt
	@touch $@

# The development set holds the run-time set at the same versions, so it satisfies both stamps.
$(VENV)/.dev: requirements-dev.txt requirements.txt | $(VENV)/.created
	@echo "installing requirements-dev.txt"
	@$(PIP) -r requirements-dev.txt
	@touch $(VENV)/.run $@
