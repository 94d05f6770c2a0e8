# Targets for development. `make` alone lists them.
#
#   PYTHON=python3.12 make demo      another Python (3.11 or newer)
#   make test ARGS="-k metrics"      only some tests
#
# Everything lives inside this folder: .venv (prediction only), .venv-test (everything else),
# .venv-render (Blender), .venv-docs (the site), demo/, site/.

PYTHON ?= python3
ARGS ?=
BASE := .venv
FULL := .venv-test
RENDER := .venv-render
DOCS := .venv-docs
PIP_INSTALL := -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test render lint types contracts surface bench mutation study hero animation docs diagram data size clean python

help:  ## List the targets
	@echo "Cleanplate: matte, true colours and depth from a picture and its clean plate."
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(BASE)/.ready  ## Install for prediction, run the example pair, write demo/
	$(BASE)/bin/cleanplate predict --plate examples/plate.jpg examples/frame.jpg \
	  --plate-depth examples/plate_depth.png --background examples/background.jpg -o demo
	@echo
	@echo "Look at demo/frame.preview.jpg (plate, frame, matte, depth, composite) and demo/frame.composite.png"

test: $(FULL)/.ready  ## Install everything and run the tests; ARGS go to pytest
	$(FULL)/bin/python -m pytest $(ARGS)

render: $(RENDER)/.ready  ## Install Blender (Python 3.11, 400 MB) and run the tests of rendering
	$(RENDER)/bin/python -m pytest tests/render $(ARGS)

lint: $(FULL)/.ready  ## Check style and format of the code
	$(FULL)/bin/ruff check .
	$(FULL)/bin/ruff format --check .

types: $(FULL)/.ready  ## Check types (mypy --strict)
	$(FULL)/bin/mypy $(ARGS)

contracts: $(FULL)/.ready  ## Check the import contracts: which package may import which
	$(FULL)/bin/lint-imports

surface: $(FULL)/.ready  ## Write the inventory of public names, after an intended change
	$(FULL)/bin/python tests/test_api_surface.py

bench: $(FULL)/.ready  ## Measure speed and memory on this machine, as ratios within one run
	$(FULL)/bin/python -m benchmarks --json out/bench.json $(ARGS)

mutation: $(FULL)/.ready  ## Read 10,000 damaged pictures and as many depth files; each must be read or refused
	$(FULL)/bin/python -m tests.mutation $(ARGS)

study: $(FULL)/.ready  ## Run the study of the 2020 report on two cores, in hours; can be resumed
	$(FULL)/bin/python -m studies.seed run --scale small $(ARGS)

hero: $(BASE)/.ready  ## Make the README's first picture with the shipped model
	$(BASE)/bin/python docs/hero.py

animation: $(BASE)/.ready  ## Make the README's animated picture with the shipped model; needs `make data`
	$(BASE)/bin/python docs/animation.py

docs: $(DOCS)/.ready  ## Build the documents and the reference as a static site, site/; checks links
	PYTHONPATH=src $(DOCS)/bin/python -m docs.diagram --check
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

diagram: $(DOCS)/.ready  ## Draw the packages and the data flow anew, docs/images/packages.svg
	PYTHONPATH=src $(DOCS)/bin/python -m docs.diagram

data:  ## Unpack the rendered plates and cutouts of the repository into data/generated/
	mkdir -p data/generated
	for archive in data/*.tar.gz; do tar -xzf "$$archive" -C data/generated || exit 1; done
	@ls -d data/generated/*

size: $(BASE)/.ready  ## Print the size of the base install in megabytes
	$(BASE)/bin/python benchmarks/size.py

clean:  ## Remove what these targets made
	rm -rf $(BASE) $(FULL) $(RENDER) $(DOCS) demo site build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# A stamp per environment: it is made again when the requirements change. The installs are
# editable, so that code changes need no new install.

$(BASE)/.ready: pyproject.toml | python
	$(PYTHON) -m venv $(BASE)
	$(BASE)/bin/python $(PIP_INSTALL) --editable .
	@touch $@

$(FULL)/.ready: pyproject.toml constraints.txt | python
	$(PYTHON) -m venv $(FULL)
	$(FULL)/bin/python $(PIP_INSTALL) --upgrade "pip>=25.1"
	$(FULL)/bin/python $(PIP_INSTALL) --constraint constraints.txt --editable ".[ray,depth-estimator,train,video,live]" --group test --group lint --group study
	@touch $@

# Blender as a module is built for one Python version and needs numpy 1: a separate environment.
$(RENDER)/.ready: pyproject.toml | python
	$(PYTHON) -m venv $(RENDER)
	$(RENDER)/bin/python $(PIP_INSTALL) --upgrade "pip>=25.1"
	$(RENDER)/bin/python $(PIP_INSTALL) --editable ".[render]" --group test
	@touch $@

# Only what builds the site: it reads the sources and imports nothing of them.
$(DOCS)/.ready: pyproject.toml | python
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python $(PIP_INSTALL) --upgrade "pip>=25.1"
	$(DOCS)/bin/python $(PIP_INSTALL) --group docs
	@touch $@

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Cleanplate needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) -V 2>&1 || echo missing`." >&2; \
	  echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: install its venv package (python3-venv on Debian)." >&2; exit 1; }
