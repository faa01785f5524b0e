# Everything lives in .venv, and a file in .venv/made marks each step that is done.

PYTHON ?= python3
MACHINE ?= $(shell uname -m)
ARGS ?=

VENV := .venv
MADE := $(VENV)/made
# By a path, not by setuptools' hook: a folder named perception in the working directory would come before it.
EDITABLE = --config-settings editable_mode=compat -e
PIP = $(VENV)/bin/python -m pip install -q --disable-pip-version-check --use-pep517 -c $(PINS)

ifeq ($(ROS_DISTRO),)
  # ROS 2 comes as wheels, and vision_msgs is built beside them.
  ROS := wheels
  RUNTIME := .[ros]
  READY := $(MADE)/vision_msgs
else
  # A ROS 2 is sourced: the environment sees its packages and adds only what ROS lacks.
  ROS := $(ROS_DISTRO)
  RUNTIME := .
  VENV_FLAGS := --system-site-packages
  READY := $(MADE)/runtime
endif
PINS := constraints/$(if $(ROS_DISTRO),sourced,wheels).txt

# A .venv keeps the Python that it was made with.
ifeq ($(origin PYTHON)$(filter help clean,$(MAKECMDGOALS)),command line)
  ifneq ($(wildcard $(MADE)/venv-$(ROS)),)
    VERSION = -c 'import sys; print("%d.%d" % sys.version_info[:2])'
    ifneq ($(shell $(PYTHON) $(VERSION)),$(shell $(VENV)/bin/python $(VERSION)))
      $(error $(VENV) is of Python $(shell $(VENV)/bin/python $(VERSION)), not of $(PYTHON); run "make clean" first)
    endif
  endif
endif

.PHONY: help setup demo test training studio course check format bench soak sbom mutate lock gpu clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## */\1\t/p' $(MAKEFILE_LIST) | expand -t 10
	@echo
	@echo "PYTHON=python3.12 names another Python for a new .venv, ARGS=... is passed to the command of a target."

setup: $(READY)  ## .venv with the runtime and ROS 2

demo: $(READY)  ## street frames through both nodes, and a report
	$(VENV)/bin/perception demo $(ARGS)

# Two processes, because much of a test's time is waiting or the start of another process.
test: $(READY) $(MADE)/training  ## all tests
	$(VENV)/bin/python -m pytest --numprocesses 2 --dist worksteal $(ARGS)

training: $(READY) $(MADE)/training  ## .venv with PyTorch and the rest of "python -m training" as well

studio: $(READY) $(MADE)/training  ## data, trainings and models in a browser (ARGS="FOLDER …": what it may read)
	$(VENV)/bin/python -m studio $(ARGS)

course: $(READY) $(MADE)/course  ## the notebooks of course/ in JupyterLab
	$(VENV)/bin/jupyter lab --notebook-dir course $(NO_NEWS) $(ARGS)
# JupyterLab would ask its makers for news and newer versions.
NO_NEWS = --LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

check: $(READY) $(MADE)/training  ## formatting, lint, types, import directions, spelling, known vulnerabilities
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/codespell
	@$(MAKE) -s $(MADE)/audit || echo "make check: pip-audit could not be installed" >&2
	$(VENV)/bin/python -m scripts.audit

sbom: $(READY) $(MADE)/audit  ## out/sbom.json: all packages in .venv, with versions and licences (CycloneDX)
	@mkdir -p out
	$(VENV)/audit/bin/cyclonedx-py environment $(VENV)/bin/python --output-reproducible -o out/sbom.json

format: $(MADE)/dev  ## let ruff format the code and fix what it can
	$(VENV)/bin/ruff format
	$(VENV)/bin/ruff check --fix

bench: $(READY)  ## what is promised of time, as ratios, with MINUTES=1 of load; models; nodes (AGAINST=DIR: another checkout's); memory
	$(VENV)/bin/perception bench $(BENCHED:%=models/%.onnx) $(ARGS)
	$(VENV)/bin/python -m scripts.frame_path $(AGAINST)
	$(VENV)/bin/python -m scripts.speed --minutes $(MINUTES)
	@if [ -e $(MADE)/training ]; then $(VENV)/bin/python -W ignore::FutureWarning -m scripts.memory; fi

BENCHED = sign_detector sign_detector.int8 signs signs.int8 segnet segnet.int8 track track.int8
MINUTES ?= 1

soak: $(READY)  ## the demo's nodes for MINUTES=10 while cameras die, files break and time jumps
	$(VENV)/bin/python -m scripts.soak --minutes $(MINUTES) $(ARGS)

mutate: $(READY) $(MADE)/training  ## small random changes to the code, and which of them no test notices
	$(VENV)/bin/python -m scripts.mutate $(ARGS)

lock: export UV_CUSTOM_COMPILE_COMMAND = make lock
lock: $(MADE)/venv-$(ROS)  ## refresh the pins in constraints/
	$(VENV)/bin/python -m pip install -q uv
	$(LOCK) --extra ros -o constraints/wheels.txt
	$(LOCK) --constraint constraints/sourced.in -o constraints/sourced.txt
	$(COMPILE) constraints/audit.in -o constraints/audit.txt
COMPILE = $(VENV)/bin/uv pip compile -q --upgrade --universal --python-version 3.10 --no-python-downloads --no-annotate
LOCK = $(COMPILE) setup.py --extra gpu --extra tensorrt --extra training --extra studio --extra course --extra fleet --extra dev

gpu: $(READY)  ## ONNX Runtime for CUDA in place of the one for CPUs (on a Jetson, WHEEL=FILE.whl)
	@if [ "$(MACHINE)" != x86_64 ] && [ -z "$(WHEEL)" ]; then echo "make gpu: PyPI has it for x86-64 only; on a" \
	  "Jetson, name the onnxruntime-gpu wheel of your JetPack: make gpu WHEEL=FILE.whl" >&2; exit 1; fi
	@rm -rf $(VENV)/gpu && mkdir $(VENV)/gpu
	@$(if $(WHEEL),cp "$(WHEEL)" $(VENV)/gpu,$(VENV)/bin/python -m pip download -q --no-deps -d $(VENV)/gpu -c $(PINS) \
	  onnxruntime-gpu)
	@$(SWAP)
	@touch $(MADE)/gpu
# Both have the same folder, so the other is removed first, but only after this one is downloaded.
SWAP = $(VENV)/bin/python -m pip uninstall -q -y onnxruntime && \
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check --force-reinstall --no-deps $(VENV)/gpu/*.whl
# pip installs the one for CPUs over it, because that is what setup.py names.
KEEP_GPU = if [ -e $(MADE)/gpu ]; then $(SWAP); fi

clean:  ## remove .venv and all that was built
	rm -rf $(VENV) build dist install log *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# Ubuntu 22.04 puts pip 22.0 into it, which does not know --config-settings.
$(MADE)/venv-$(ROS):
	@scripts/check_machine.sh "$(PYTHON)" "$(MACHINE)"
	$(PYTHON) -m venv --clear $(VENV_FLAGS) $(VENV)
	@$(VENV)/bin/python -m pip install -q --disable-pip-version-check 'pip>=23'
	@mkdir -p $(MADE) && touch $@

$(MADE)/runtime: $(MADE)/venv-$(ROS) setup.py $(PINS)
	@echo "installing the runtime into $(VENV), about a minute the first time"
	$(PIP) $(EDITABLE) '$(RUNTIME)'
	@$(KEEP_GPU)
	@touch $@

$(MADE)/vision_msgs: export AMENT_PREFIX_PATH = $(abspath $(VENV))
$(MADE)/vision_msgs: $(PINS) $(shell find interfaces perception/msg -type f) | $(MADE)/runtime
	@echo "building vision_msgs"
	@$(VENV)/bin/cmake --fresh -S interfaces/vision_msgs -B build/vision_msgs -DBUILD_TESTING=OFF \
	  "-DCMAKE_INSTALL_PREFIX=$(AMENT_PREFIX_PATH)" "-DCMAKE_PREFIX_PATH=$(AMENT_PREFIX_PATH)" \
	  "-DPython3_EXECUTABLE=$(AMENT_PREFIX_PATH)/bin/python" > /dev/null
	@$(VENV)/bin/cmake --build build/vision_msgs --parallel 2 > /dev/null
	@$(VENV)/bin/cmake --install build/vision_msgs > /dev/null
	@touch $@

# These tools need many packages that are not in what they look at.
$(MADE)/audit: $(MADE)/venv-$(ROS) constraints/audit.txt
	@echo "installing pip-audit and cyclonedx-bom into $(VENV)/audit"
	@$(VENV)/bin/python -m venv --clear $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip install -q --disable-pip-version-check -r constraints/audit.txt
	@touch $@

$(MADE)/dev: $(MADE)/runtime
	$(PIP) $(EDITABLE) '.[dev]'
	@$(KEEP_GPU)
	@touch $@

$(MADE)/training: $(MADE)/dev
	@echo "installing PyTorch and the rest of training into $(VENV), a few minutes the first time"
	$(PIP) $(EDITABLE) '.[dev,fleet,studio,tensorrt,training]'
	@$(KEEP_GPU)
	@touch $@

$(MADE)/course: $(MADE)/training
	$(PIP) $(EDITABLE) '.[course]'
	@$(KEEP_GPU)
	@touch $@
