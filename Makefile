# Every target sets up what it needs: `make demo` and `make test` work in a fresh checkout.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo analysis deploy support dashboard confirm copy test test-fast test-agentica kill storm bench check format lock clean

RUN := .venv/bin/python -m
LOCK := $(RUN) uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --annotation-style line $(if $(UPGRADE),--upgrade)

help:  ## Show this list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

demo: .venv/.demo  ## See gated agents at work on a database, a repository and a help desk; nobody is asked
	@$(RUN) apps.analysis demo
	@$(RUN) apps.deploy demo
	@$(RUN) apps.support demo

analysis: .venv/.demo .demo/shop.duckdb  ## Answer the analysis agent yourself: make analysis ARGS='sql "DELETE ..."'
	@$(RUN) apps.analysis --database .demo/shop.duckdb $(ARGS)

.demo/shop.duckdb: | .venv/.demo
	@mkdir -p .demo
	@$(RUN) apps.analysis init $@

deploy: .venv/.dev .demo/sample/deploy.toml  ## Decide about the deploy agent's releases: make deploy ARGS=status
	@$(RUN) apps.deploy --config .demo/sample/deploy.toml $(ARGS)

.demo/sample/deploy.toml: | .venv/.dev
	@mkdir -p .demo
	@$(RUN) apps.deploy init .demo/sample

support: .venv/.dev .demo/helpdesk/support.toml  ## Decide about the help desk's refunds: make support ARGS=--batch
	@$(RUN) apps.support --config .demo/helpdesk/support.toml $(ARGS)

.demo/helpdesk/support.toml: | .venv/.dev
	@mkdir -p .demo
	@$(RUN) apps.support init .demo/helpdesk

dashboard: .venv/.dev  ## Decide on the web: make dashboard STORE=approvals.db
	@$(RUN) core dashboard --store $(or $(STORE),$(error Say which: STORE=FILE)) $(ARGS)

confirm: .venv/.dev  ## Try the dialog that asks the person on the page
	@$(RUN) core.approvers.browser $(ARGS)

copy: .venv/.demo  ## Copy a pattern: make copy PATTERN=terminal TO=../myapp; without PATTERN, list them
	@$(RUN) core $(if $(PATTERN),copy $(PATTERN) --to $(or $(TO),$(error Say where to: TO=../myapp)),list)

test: .venv/.dev  ## Run every test and every example in the prose
	@$(RUN) tests.browsers
	@$(RUN) tests.sshd
	@$(RUN) tests.referee
	@$(RUN) pytest -q -n auto $(ARGS)

test-fast: .venv/.dev  ## Run the tests that take less than a second each
	@$(RUN) pytest -q -n auto -m "not slow" $(ARGS)

test-agentica: .venv-agentica/.agentica  ## Run the apps under Agentica, which needs Python 3.12 or 3.13
	@.venv-agentica/bin/python -m pytest -q tests/agentica_laws.py tests/agentica_apps.py $(ARGS)

kill: .venv/.dev  ## Kill a worker hundreds of times and look at what it leaves behind
	@$(RUN) tests.kill $(ARGS)

storm: .venv/.dev  ## Refund from eight processes while they and their Stripe are killed at random
	@$(RUN) tests.storm $(ARGS)

bench: .venv/.dev  ## Measure what asking costs, next to a plain call and a bare commit
	@$(RUN) tests.bench $(ARGS)

check: .venv/.dev  ## Format, lint, types and import rules; changes nothing
	@$(RUN) ruff format --check
	@$(RUN) ruff check
	@$(RUN) mypy
	@$(RUN) pyright
	@.venv/bin/python .venv/bin/lint-imports --no-logo

format: .venv/.dev  ## Mend what a program can mend
	@$(RUN) ruff check --fix
	@$(RUN) ruff format

lock: .venv/.dev  ## Write the lock files anew: make lock UPGRADE=1 takes newer versions
	@$(LOCK) --all-extras --group dev pyproject.toml --output-file .lock/dev.txt
	@$(LOCK) --extra analysis --extra deploy --extra support --constraints .lock/dev.txt pyproject.toml --output-file .lock/demo.txt
	@printf '%s\n' symbolica-agentica==0.4.1 agentica-internal==0.4.1 'xxhash<4' hypothesis pytest pytest-timeout | \
		$(subst 3.11,3.12,$(LOCK)) --extra analysis --extra deploy --extra support --constraints .lock/dev.txt pyproject.toml - --output-file .lock/agentica.txt
	@echo uv | $(LOCK) - --output-file .lock/uv.txt

clean:  ## Remove .venv, .venv-agentica and every cache
	@rm -rf .venv .venv-agentica .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	@find core apps tests -name __pycache__ -type d -prune -exec rm -rf {} +

# What was installed into an environment whose Python is gone, is gone too.
ifneq ($(shell test -x .venv/bin/python || echo gone),)
.PHONY: .venv/.demo .venv/.dev
endif
ifneq ($(shell test -x .venv-agentica/bin/python || echo gone),)
.PHONY: .venv-agentica/.agentica
endif

.venv/bin/python:
	@sh .ci/venv

.venv/.demo: .lock/demo.txt .venv/bin/python
	@sh .ci/install demo

.venv/.dev: .lock/dev.txt .venv/bin/python
	@sh .ci/install dev

.venv-agentica/bin/python:
	@sh .ci/agentica

.venv-agentica/.agentica: .lock/agentica.txt .venv-agentica/bin/python
	@sh .ci/install agentica .venv-agentica
