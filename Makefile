# Two commands: `make demo` and `make test`. Everything lands in .venv and out/.
PYTHON ?= python3
TORCH ?= cpu
FOOTAGE ?=
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1

.PHONY: demo test check bench bench-gpu setup system clean

demo: setup
	$(BIN)/careclips demo $(if $(FOOTAGE),--footage "$(FOOTAGE)") $(if $(POSE_FILE),--pose-file "$(POSE_FILE)")

test: setup
	$(BIN)/python -m pytest -q -n 2 --dist loadfile tests --ignore=tests/benchmarks

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

bench: setup
	$(BIN)/python tests/benchmarks/run.py

bench-gpu: setup
	$(BIN)/python tests/benchmarks/gpu.py

setup: system $(VENV)/.ready

# torch first and by itself: which build is asked for decides what everything else finds installed.
$(VENV)/.ready: constraints.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c 'import sys; assert sys.version_info >= (3, 11), "careclips needs Python 3.11 or newer"'
	TORCH="$(TORCH)" sh .ci/install-torch $(BIN)/pip
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $@

# Libraries that pip cannot bring: Open3D wants libusb, the renderer wants EGL.
system:
	@sh .ci/system-libraries

clean:
	rm -rf $(VENV) out
