# Two commands: `make demo` and `make test`. Everything lands in .venv and out/.
PYTHON ?= python3
TORCH ?= cpu
FOOTAGE ?=
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1

CORPUS ?= corpus
DENOISERS := pairs_identity pairs_intergen pairs_ponimator pairs_plan_identity pairs_plan_timotion_transformer \
  pairs_plan_timotion_mamba pairs_plan_timotion_rwkv singles_identity singles_mdm

.PHONY: demo test check bench bench-gpu soak rare-falls compare setup system clean

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

# Kills a small chain at random moments, and compares what it leaves with an undisturbed run's: a quarter of an hour.
soak: setup
	$(BIN)/python tests/benchmarks/soak.py

bench-gpu: setup
	$(BIN)/python tests/benchmarks/gpu.py

# What generated clips teach where real falls are rare. ARGS: --real STORE --train CAMERAS --test CAMERAS
# --synthetic NAME=DATASET ... --labels FILE --label-map FILE --events FILE (docs/results.md).
rare-falls: setup
	$(BIN)/python tests/benchmarks/rare_falls.py $(ARGS)

# Denoisers of one size on the same scenes, three seeds each: hours of one core, interrupted at will.
compare: setup
	for arm in $(DENOISERS); do for seed in 0 1 2; do \
	  $(BIN)/careclips train motion --corpus $(CORPUS)/corpus.bin --config configs/compare/$$arm.yaml --seed $$seed \
	    --out out/compare/$${arm}_$$seed || exit 1; done; done
	for people in pairs singles; do \
	  $(BIN)/careclips evaluate motion --corpus $(CORPUS)/corpus.bin --texts $(CORPUS)/texts.safetensors \
	    --config configs/compare/evaluate_$$people.yaml --out out/compare/$$people \
	    $$(for run in out/compare/$${people}_*_[012]; do echo --arm $$(basename $$run)=$$run; done) || exit 1; done

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
