# The few things that a person types. Everything else is CMake; see CMakePresets.json.
#   make run [MODEL=name]   install what is missing, build, bring the model, start a fleet, ask it something
#   make serve [MODEL=name] the same with one server and no fleet
#   make chat [MODEL=name]  the same, to talk to it in the terminal
#   make install [PREFIX=/usr/local] [DESTDIR=]   program, chips, man page and systemd unit
#   make test               install what tests need, build all of it, run it
#   make faults             what certification makes of planted faults
#   make sanitize           the same under sanitizers, built with the second compiler

MODEL ?= smollm2
PREFIX ?= /usr/local
QUESTION ?= Why is the sky blue? Answer in two sentences.
BUILD := build/release
PROGRAM := $(BUILD)/bin/switchyard

# Clones in other folders share what ccache has compiled.
CCACHE = "env;CCACHE_BASEDIR=$(CURDIR);ccache"
LAUNCHER = $(if $(shell command -v ccache), \
  -DCMAKE_C_COMPILER_LAUNCHER=$(CCACHE) -DCMAKE_CXX_COMPILER_LAUNCHER=$(CCACHE))
CONFIGURE = cmake --preset release $(LAUNCHER)

# What the tests need from the network.
bring_data = $(1) pull $(MODEL) || echo 'Tests that need the default model will skip.'; \
  tests/tokenizers/get_vocabularies.sh || echo 'Tests that need a missing vocabulary will skip.'

.PHONY: help run serve chat build install test faults sanitize clean

help:
	@echo 'make run     installs missing Debian packages, builds, brings the model, starts a gateway before'
	@echo '             members on several chips, asks it QUESTION and kills the member that answers'
	@echo '             (MODEL=name chooses another; "$(PROGRAM) pull --list" shows names)'
	@echo 'make serve   one server without a fleet, which is asked QUESTION'
	@echo 'make chat    the same, for a chat in the terminal'
	@echo 'make build   installs missing Debian packages and builds $(PROGRAM)'
	@echo 'make install PREFIX=/usr/local   program, chips, man page and systemd unit; needs a build'
	@echo 'make test    installs what tests need, builds them and runs them all'
	@echo 'make faults  shows that certification finds planted faults and passes honest chips'
	@echo 'make sanitize  builds with clang++-19 and runs the tests under ASan and UBSan, and those of'
	@echo '             engine, device, chips, server, gateway and fleet under TSan; two hours'
	@echo 'make clean   removes build/; models stay in the cache folder'

run serve: export QUESTION := $(QUESTION)
run: build
	@tools/install_packages.sh build fleet
	@tools/local_fleet.py $(PROGRAM) --model $(MODEL) --question "$$QUESTION"

serve: build
	@$(PROGRAM) serve $(MODEL) --log-level warn --ask "$$QUESTION"

chat: build
	@$(PROGRAM) run $(MODEL)

# An up-to-date build directory is left as it is: ninja configures again by itself when a
# CMakeLists.txt has changed. One that builds tests too serves as well.
build:
	@tools/install_packages.sh build
	@test -f $(BUILD)/build.ninja || $(CONFIGURE) -DSWITCHYARD_TESTS=OFF
	@cmake --build $(BUILD) --target product

# Builds nothing, so that root need not.
install:
	@test -x $(PROGRAM) || { echo 'Run make build first.' >&2; exit 1; }
	@cmake --install $(BUILD) --prefix $(PREFIX)

# A build directory that has the tests.
configure_tests = tools/install_packages.sh build test && \
  { grep -qs '^SWITCHYARD_TESTS:BOOL=ON' $(BUILD)/CMakeCache.txt && test -f $(BUILD)/build.ninja \
    || $(CONFIGURE) -DSWITCHYARD_TESTS=ON; }

test:
	@$(configure_tests)
	@cmake --build $(BUILD)
	@$(call bring_data,$(PROGRAM))
	@ctest --preset release -j $(shell nproc)

faults:
	@$(configure_tests)
	@cmake --build $(BUILD) --target switchyard_planted_faults
	@$(BUILD)/bin/switchyard_planted_faults $(BUILD)/chips

sanitize:
	@tools/install_packages.sh build test sanitize
	@for preset in asan tsan; do \
	  test -f build/$$preset/build.ninja || cmake --preset $$preset $(LAUNCHER) || exit; \
	  cmake --build --preset $$preset || exit; \
	done
	@$(call bring_data,build/asan/bin/switchyard)
	@ctest --preset asan -j $(shell nproc)
	@ctest --preset tsan -j $(shell nproc)

clean:
	rm -rf build
