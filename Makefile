# make demo    the whole path: install, export, measure briefly, print the paper's ratios
# make test    lint, types, import contracts, tests
# make test-all       the slow tests too: the image, a whole emulated system
# make test-loaded    the tests of make test five times in a row, beside two busy loops and a process
#              that copies a gigabyte without end: none may depend on how fast the machine is
# make fuzz    ten minutes of damaged files, documents and devices; FUZZ=40 SEED=0
# make soak    half an hour of measuring over SSH while links are cut, processes killed or stopped,
#              disks filled and clocks moved; SOAK=30 SEED=0
# make bench   paired measurement of what the rewrites win, against plain lowering and torch's ONNX
# make overhead       the harness's own time, paired with a bare loop around the engine
# make counts         instructions on emulated ARM64 processors: benchmarks/counts.json, docs/counts.md
# make recount        a few of them again: they have to be as in the table
# make clothing       what each precision keeps of real weights: docs/accuracy.md; CLOTHING=FOLDER
# make sizes          how much goes to a device
# make wheel-hashes   the hashes of what devices get by pip, after constraints.txt has changed
# make release-check  both packages, each extra in an environment of its own, the README's way with
#              the wheel, a bill of materials in dist/, the image; PYTHONS="python3.11 python3.14"
# make docs           these documents as pages, in site/
# make image          build Dockerfile.arm64 under emulation, and run it
# make repeatability  how far ratios move from run to run; NEIGHBOUR=spin or memory runs beside
# make clean   remove what these made
#
# pip's own settings (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, pip.conf) are honoured throughout.

PYTHON ?= python3
NEIGHBOUR ?= none
CLOTHING ?= ../shared/weights
PYTHONS ?= $(PYTHON)
FUZZ ?= 40
SOAK ?= 30
SEED ?= 0
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TESTS := $(BIN)/pytest --numprocesses auto -m 'not slow'

.PHONY: demo test test-all test-loaded fuzz soak bench overhead counts recount clothing sizes wheel-hashes \
    image release-check docs repeatability format clean

# A picture, in less time than shufflenet-bench takes by itself. Where 4 rounds end before a process's
# time is up, each block has 4 processes and no more; a slower machine adds some, until the interval
# is as narrow as that.
demo: $(READY)
	$(BIN)/shufflenet-bench --device local --suite quick --processes 4 --rounds 16 --interval 10
	$(BIN)/shufflenet-report results.json --out report.html

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(TESTS)

test-all: test
	$(BIN)/pytest -m slow

test-loaded: $(READY)
	$(BIN)/python benchmarks/loaded.py --runs 5 -- $(TESTS)

fuzz: $(READY)
	FUZZ=$(FUZZ) $(BIN)/pytest --numprocesses auto --hypothesis-seed=$(SEED) tests/fuzz

# CI is set, so that what is missing is no skip.
soak: $(READY)
	CI=true SOAK=$(SOAK) SEED=$(SEED) $(BIN)/pytest --show-capture=no tests/soak

bench: $(READY)
	$(BIN)/python benchmarks/lowering.py

overhead: $(READY)
	$(BIN)/python benchmarks/overhead.py --check

counts: $(READY)
	$(BIN)/python benchmarks/counts.py --write

recount: $(READY)
	$(BIN)/python benchmarks/counts.py --recount

clothing: $(READY)
	$(BIN)/python benchmarks/clothing.py --write \
	    --weights $(CLOTHING)/megvii-g3-0.5x.pth.tar --photographs $(CLOTHING)/clothing-64.zip

sizes: $(READY)
	$(BIN)/python benchmarks/sizes.py --txz --check

wheel-hashes: $(READY)
	$(BIN)/python benchmarks/wheel_hashes.py --write

image: $(READY)
	$(BIN)/python tests/support/image.py

release-check: $(READY)
	$(BIN)/python -m pip install -c constraints.txt -e '.[release]'
	$(BIN)/python tests/support/release.py $(foreach python,$(PYTHONS),--python $(python))
	$(BIN)/python tests/support/image.py

docs: $(READY)
	$(BIN)/mkdocs build --strict

repeatability: $(READY)
	$(BIN)/python benchmarks/repeatability.py --neighbour $(NEIGHBOUR) --check

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) artifacts dist site results.json results-*.json report.html report-*.html

# torch first and by its pinned version: left to a resolver, another package's requirement may
# pull the newest build with several GB of CUDA. pytorchcv without its dependencies, which are
# torchvision and so another torch.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 14) or sys.exit("error: Python %d.%d: 3.11 to 3.14 is needed; make PYTHON=python3.11" % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install -c constraints.txt --no-deps pytorchcv
	touch $@
