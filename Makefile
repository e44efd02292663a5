# petalveil: `make` lists the targets. Everything is installed into .venv here and nowhere else.
#   make demo PYTHON=python3.12      picks the Python that .venv is made with (3.11 or newer)
#   make test TESTS=tests/training   runs the tests of one folder
#   make test WORKERS=1              runs them one after the other; a worker takes 1.4 GB, one at a time up to 3.4 GB

PYTHON ?= python3
TESTS ?=
ARGS ?=
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
# pip compiles all modules, one after the other. Few are ever imported, and compile then; but for the tests, where what a
# compiler says of others' modules would be an error, all cores do it.
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile --constraint constraints.txt
# A stamp says that an install is done and newer than the two files that decide on it.
LIGHT := $(VENV)/light.stamp
APP := $(VENV)/app.stamp
FULL := $(VENV)/full.stamp

# A .venv that was copied or moved here still runs the code of its old place, so the stamps name their place.
ifneq ($(shell cat $(LIGHT) 2>/dev/null),$(CURDIR))
$(LIGHT) $(APP) $(FULL): FORCE
endif

# Threads that wait for work sleep: spinning, they stall everything as soon as another program wants a core.
export OMP_WAIT_POLICY := passive

.PHONY: help demo app screenshots test lint bench bundle android ios clean FORCE
.DEFAULT_GOAL := help

help:
	@echo 'make demo     cloak a photo with the bundle in this repo and show what happened'
	@echo 'make app      start the app in a window (installs Kivy)'
	@echo 'make test     ruff, pyright and all tests (installs the desk tools: torch and others)'
	@echo 'make lint     ruff and pyright alone'
	@echo 'make bench    latency and memory of graphs, engines and a photo (ARGS="--threads 1,2")'
	@echo 'make bundle   export the bundle anew into mobile_app/bundle'
	@echo 'make screenshots  draw docs/screens anew, without a display'
	@echo 'make android  build an APK, where buildozer and its tools are (docs/phones.md)'
	@echo 'make ios      make the Xcode project, on a Mac with kivy-ios (docs/phones.md)'
	@echo 'make clean    remove .venv, caches and build outputs'

demo: $(LIGHT)
	$(BIN)/petalveil demo $(ARGS)

app: $(APP)
	$(BIN)/petalveil app $(ARGS)

screenshots: $(FULL)
	$(BIN)/python -m tests.mobile_app.ui.screenshots $(ARGS)

bench: $(LIGHT)
	$(BIN)/petalveil bench $(ARGS)

# A process a core, WORKERS at most, each with a file of tests at a time and one thread, so that none waits for another.
test: export OMP_NUM_THREADS ?= 1
test: lint
	$(BIN)/python -m pytest -n logical --maxprocesses $(WORKERS) --dist loadfile $(TESTS) $(ARGS)

lint: $(FULL)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m pyright

bundle: $(FULL)
	$(BIN)/python -m export bundle $(ARGS)

# Says what is missing before it installs or builds anything.
android ios:
	@$(PYTHON) -m export.phones $@ --check
	@$(MAKE) --no-print-directory $(LIGHT)
	@$(BIN)/python -m export.phones $@ $(ARGS)

clean:
	rm -rf $(VENV) build dist out runs *.egg-info .pytest_cache .ruff_cache
	find mobile_app training export tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A .venv whose Python is missing, broken or too old is made anew.
define make_venv
@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	|| $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	|| { echo 'petalveil needs Python 3.11 or newer, and "$(PYTHON)" is not; try: make $(MAKECMDGOALS) PYTHON=python3.12' >&2; exit 1; }
@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	|| $(PYTHON) -m venv --clear $(VENV)
endef

$(LIGHT): pyproject.toml constraints.txt
	$(make_venv)
	@echo 'installing the light set into $(VENV): once, and again only when pyproject.toml or constraints.txt change'
	@$(INSTALL) --editable .
	@echo '$(CURDIR)' > $@

$(APP): pyproject.toml constraints.txt
	$(make_venv)
	@echo 'installing the light set and Kivy into $(VENV)'
	@$(INSTALL) --editable '.[app]'
	@echo '$(CURDIR)' > $(LIGHT)
	@echo '$(CURDIR)' > $@

# torchattacks comes without what it asks for: an old version of requests that it never imports (see pyproject.toml).
$(FULL): pyproject.toml constraints.txt
	$(make_venv)
	@echo 'installing the full set into $(VENV), torch included: this takes minutes the first time'
	@$(INSTALL) --editable '.[train,test]'
	@$(INSTALL) --no-deps torchattacks
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true  # some are templates, and no Python
	@echo '$(CURDIR)' > $(LIGHT)
	@echo '$(CURDIR)' > $@
