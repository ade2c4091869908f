# imgcached. `make help` lists the targets; a fresh Debian 12 needs only `make run`.

VAR       ?= var
GRAPHS    ?= build/graphs
SOAK_SECONDS ?= 1800
SANITIZER ?=
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= $(filter-out replay_test,$(patsubst tests/fuzz/%.cc,%,$(wildcard tests/fuzz/*.cc)))
comma     := ,
BUILD     ?= build$(if $(SANITIZER),/$(subst $(comma),-,$(SANITIZER)))
JOBS      := $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
MAKEFLAGS += --no-print-directory $(JOBS)

# --- Flags ---------------------------------------------------------------------------------------
# Asserts stay on everywhere. UBSan's checks of each pointer take GCC a third of its time, and ASan
# sees what comes of a bad one. At -O0 GCC grows the stack in long await loops, hence -O1. GCC 12
# sees uninitialised members in every moved std::variant. What a unit includes it takes for headers,
# where a type in an unnamed namespace were a mistake.
OPTIMIZE   := $(if $(SANITIZER),-O1 -fno-omit-frame-pointer -fsanitize=$(SANITIZER) \
                $(if $(findstring undefined,$(SANITIZER)),\
                  -fno-sanitize=null -fno-sanitize=alignment -fno-sanitize=vptr) \
                -fno-sanitize-recover=all,-O2)
CXXFLAGS   ?= $(if $(SANITIZER),-g1 -Wno-subobject-linkage,-g) \
                -Wall -Wextra -Wpedantic -Wno-maybe-uninitialized
# To compile a test takes a third of the time so, and nobody waits for it to run.
TEST_FLAGS := $(if $(SANITIZER),,-O1 -g1)
CPPFLAGS    = -Isrc -I. -isystem /usr/share/include/llhttp $(patsubst -I%,-isystem %,$(PKG_CFLAGS))
# For the few that ask; in every command line it would keep checkouts from sharing a ccache.
SOURCE_DIRECTORY := -DIMGCACHED_SOURCE_DIRECTORY='"$(CURDIR)"'
COMMIT      = -DIMGCACHED_COMMIT='"$(shell cat $(BUILD)/commit 2>/dev/null)"'
CCACHE     := $(shell command -v ccache)

# pkg-config may itself have to be installed first: the first recipe that needs it asks it, once.
MODULES    := libuv libmariadb simdjson spdlog fmt libxxhash zlib
PKG_CFLAGS  = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(MODULES)))$(PKG_CFLAGS)
PKG_LIBS    = $(eval PKG_LIBS := $$(shell pkg-config --libs $(MODULES); \
                pkg-config --libs --silence-errors libllhttp))$(PKG_LIBS)

# --- Files ---------------------------------------------------------------------------------------
ROOMS      := base net http db cache images pages
objects     = $(patsubst %.cc,$(BUILD)/obj/%.o,$(wildcard $(1)))
# Whole rooms, which a sanitizer build compiles in units. That takes GCC half of the time.
rooms       = $(call objects,$(if $(SANITIZER),$(filter $(LONE),$(wildcard $(1))) $(shell \
                tools/units $(BUILD)/units $(filter-out $(LONE),$(wildcard $(1)))),$(1)))
# With flags of their own, or in one program of several.
LONE       := $(addprefix tools/loadgen/,environment.cc main.cc plot.cc)
LIBRARY    := $(call rooms,$(ROOMS:%=src/%/*.cc)) $(BUILD)/obj/libllhttp.a
PROGRAM    := $(call objects,src/*.cc)
TEST_MAIN  := $(BUILD)/obj/tests/main.o
UNIT       := $(call objects,tests/*_test.cc) $(call rooms,$(ROOMS:%=tests/%/*.cc) tests/loadgen/*.cc) \
              $(call objects,tests/fuzz/*.cc src/config.cc src/server_options.cc) \
              $(call objects,$(addprefix tests/e2e/,fixture.cc http_peer.cc test_images.cc))
E2E        := $(call objects,tests/e2e/*.cc $(addprefix tests/loadgen/,graph_check.cc png_reader.cc))
BENCHES    := $(BUILD)/bench-client $(BUILD)/bench-disk-limit
LOADGEN    := $(filter-out $(BUILD)/obj/tools/loadgen/main.o,$(call rooms,tools/loadgen/*.cc))

NETWORK    := $(call rooms,$(patsubst %,src/%/*.cc,base net http)) $(BUILD)/obj/libllhttp.a

PROGRAMS   := $(BUILD)/imgcached $(BUILD)/loadgen
TESTS      := $(BUILD)/tests/unit $(BUILD)/tests/e2e
FAULTS     := $(BUILD)/tests/libfaults.so

.DEFAULT_GOAL := all
.PHONY: all tests run start stop graphs bench bench-growth bench-parts bench-loadgen bench-keys soak
.PHONY: test test-browser fuzz lint layers format clean help packages force
.DELETE_ON_ERROR:

# --- Packages ------------------------------------------------------------------------------------
# One call installs what these goals need. Asking dpkg takes milliseconds, so every make asks.
GOALS      := $(or $(MAKECMDGOALS),all)
PACKAGES   := $(if $(filter-out format,$(GOALS)),build) $(if $(filter run start,$(GOALS)),run) \
              $(if $(filter test tests %/unit %/e2e,$(GOALS)),run test graphs) \
              $(if $(filter graphs bench-growth,$(GOALS)),run graphs) $(if $(filter soak,$(GOALS)),run test) \
              $(if $(filter bench bench-growth bench-keys bench-loadgen,$(GOALS)),run bench) \
              $(if $(filter bench-parts bench-growth,$(GOALS)),parts) \
              $(if $(filter test-browser,$(GOALS)),run browser) \
              $(if $(filter fuzz,$(GOALS)),fuzz) \
              $(if $(filter lint format,$(GOALS)),lint)
packages:
	@tools/install-packages $(PACKAGES)

# --- Build ---------------------------------------------------------------------------------------
all: $(PROGRAMS)             ## build build/imgcached and build/loadgen (the default)
tests: $(PROGRAMS) $(TESTS) $(FAULTS)  ## build the tests without running them

$(BUILD)/imgcached: $(PROGRAM) $(LIBRARY)
$(BUILD)/tests/unit: $(TEST_MAIN) $(UNIT) $(LOADGEN) $(LIBRARY)
ifeq ($(SANITIZER),)
$(BUILD)/tests/e2e: $(TEST_MAIN) $(E2E) $(LIBRARY)
else
# These tests find the program beside them, and only that is what a sanitizer is to look at.
$(BUILD)/tests/e2e: force
	@$(MAKE) SANITIZER= BUILD=build build/tests/e2e
	@mkdir -p $(@D)
	@cp -u build/tests/e2e $@
endif
$(BUILD)/loadgen: $(BUILD)/obj/tools/loadgen/main.o $(LOADGEN) $(NETWORK)
$(BUILD)/bench-client: $(call objects,tools/bench/client.cc tools/bench/answer.cc) \
  $(call objects,$(addprefix tools/loadgen/,histogram.cc process_usage.cc)) $(LIBRARY)
$(BUILD)/bench-disk-limit: $(call objects,tools/bench/disk_limit.cc) $(LIBRARY)
$(BUILD)/bench-parts: $(call objects,tools/bench/parts.cc tools/loadgen/process_usage.cc) $(LIBRARY)
$(BUILD)/bench-parts: LIBRARIES := -lbenchmark
LINKED     := $(PROGRAMS) $(if $(SANITIZER),$(BUILD)/tests/unit,$(TESTS)) $(BENCHES) \
              $(BUILD)/bench-parts
$(LINKED):
	@echo '  link $@'
	@mkdir -p $(@D)
	@$(CXX) $(OPTIMIZE) -o $@ $^ -Wl,--as-needed $(LIBRARIES) $(PKG_LIBS) -pthread

$(call objects,src/backend_front.cc tests/e2e/fixture.cc tests/e2e/fixture_test.cc \
  tests/fuzz/replay_test.cc tools/loadgen/plot.cc): \
  CPPFLAGS += $(SOURCE_DIRECTORY)

# To be preloaded into the program, whatever that is built with; so without a sanitizer itself.
$(FAULTS): $(BUILD)/obj/tests/faults/fault_points.o
	@echo '  link $@'
	@mkdir -p $(@D)
	@$(CXX) -shared -o $@ $^
$(BUILD)/obj/tests/faults/fault_points.o: OPTIMIZE := -O2 -fPIC

# A fuzz target is linked with libFuzzer and what it needs of the library. `make test` has all of
# them in one program, where each needs a name of its own.
$(BUILD)/targets/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/library.a $(BUILD)/obj/libllhttp.a
	@echo '  link $@'
	@mkdir -p $(@D)
	@$(CXX) $(OPTIMIZE) -fsanitize=fuzzer -o $@ $^ -Wl,--as-needed $(PKG_LIBS) -pthread
$(BUILD)/library.a: $(filter-out %.a,$(LIBRARY)) $(BUILD)/obj/src/config.o
	@rm -f $@; ar rcs $@ $^
$(call objects,tests/fuzz/*.cc): \
  CPPFLAGS += $(if $(findstring fuzzer,$(SANITIZER)),,-DLLVMFuzzerTestOneInput=fuzz_$(*F))

# Results name the sources they were measured with. The file changes when the name does, and with
# it one object.
$(BUILD)/commit: force
	@mkdir -p $(@D)
	@commit=$$(git describe --always --dirty 2>/dev/null || echo unknown); \
	  [ "$$commit" = "$$(cat $@ 2>/dev/null)" ] || echo "$$commit" >$@
$(call objects,tools/loadgen/environment.cc): $(BUILD)/commit
$(call objects,tools/loadgen/environment.cc): CPPFLAGS += $(COMMIT)
$(BUILD)/obj/tests/%.o: CXXFLAGS += $(TEST_FLAGS)
$(BUILD)/obj/%.o: %.cc Makefile | packages
	@echo '  c++  $<'
	@mkdir -p $(@D)
	@$(CCACHE) $(CXX) -std=c++20 $(OPTIMIZE) $(CXXFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# For fuzzing the way through llhttp counts too. It adds 0 to null pointers, which C leaves
# undefined.
LLHTTP_SANITIZER := $(if $(findstring fuzzer,$(SANITIZER)),-fsanitize=fuzzer-no-link$(comma)address)
# llhttp: C sources (node-llhttp) where the release has no library of it (libllhttp-dev).
$(BUILD)/obj/libllhttp.a: | packages
	@echo '  cc   llhttp'
	@mkdir -p $(@D)/llhttp
	@rm -f $@; ar rcs $@
	@pkg-config --exists libllhttp || for part in api http llhttp; do \
	  $(CC) -O3 -g -w $(LLHTTP_SANITIZER) -I/usr/share/include/llhttp -c /usr/share/llhttp/$$part.c \
	    -o $(@D)/llhttp/$$part.o && ar rs $@ $(@D)/llhttp/$$part.o || exit 1; done

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# --- Use -----------------------------------------------------------------------------------------
run: all packages    ## install, build and run in the foreground; Ctrl-C stops it
	@exec tools/run foreground $(BUILD)/imgcached "$(VAR)"
start: all packages  ## the same in the background; returns when it is ready
	@tools/run start $(BUILD)/imgcached "$(VAR)"
stop:                ## end what `make start` or `make run` started
	@tools/run stop $(BUILD)/imgcached "$(VAR)"

graphs: all packages  ## measure every policy and ratio, draw the six graphs into GRAPHS
	@tools/graphs $(BUILD)/imgcached $(BUILD)/loadgen $(BUILD)/results $(GRAPHS)
bench: all $(BENCHES) packages  ## imgcached beside nginx, memcached, Redis and the disk
	@tools/bench/run $(PROGRAMS) $(BENCHES) $(BUILD)
bench-growth: all $(BENCHES) $(BUILD)/bench-parts packages  ## how cost grows: keys, entries, connections, sizes
	@tools/bench/growth $(BUILD)/imgcached $(BUILD)/bench-client $(BUILD)/bench-parts $(BUILD)
bench-parts: $(BUILD)/bench-parts packages  ## what the parts cost, each alone
	@$(BUILD)/bench-parts
bench-loadgen: all packages  ## the load generator beside wrk
	@tools/bench-loadgen $(BUILD)/imgcached $(BUILD)/loadgen
bench-keys: all packages  ## the pages that list keys, with a million of them
	@tools/bench-keys $(BUILD)/imgcached

soak: all packages  ## mixed load for SOAK_SECONDS while everything around fails in turn
	@tools/soak $(BUILD)/imgcached $(BUILD)/loadgen $(SOAK_SECONDS)

test: tests  ## run every test; the last line is `N passed, N failed`
	@tools/run-tests $(TESTS)
test-browser: all packages  ## the pages in Chromium, with and without JavaScript
	@command -v npm >/dev/null || tools/install-packages npm
	@cd tests/browser && npm ci --silent --no-audit --no-fund && \
	  IMGCACHED_PROGRAM=$(abspath $(BUILD)/imgcached) npm test --silent
# libFuzzer is clang's, so this is a build of its own. clang 14 can't check calls through pointers
# in coroutines (LLVM's issue 49689).
fuzz: packages  ## run each fuzz target for FUZZ_SECONDS; a finding is an error
	@$(MAKE) BUILD=$(BUILD)/fuzz SANITIZER=fuzzer-no-link,address,undefined \
	  CXX=clang++-14 CC=clang-14 CXXFLAGS='-g -Wall -Wextra -fno-sanitize=function' \
	  $(FUZZ_TARGETS:%=$(BUILD)/fuzz/targets/%)
	@tools/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS:%=$(BUILD)/fuzz/targets/%)
lint: packages  ## clang-format, clang-tidy and shellcheck
	@tools/lint $(CPPFLAGS) $(SOURCE_DIRECTORY) $(COMMIT)
layers:  ## check that includes only go left, and that one file includes each C library
	@tools/check-layers
format: packages  ## rewrite the sources in the project's format
	@git ls-files '*.cc' '*.h' | xargs clang-format -i
clean:  ## remove build/; what another BUILD has, and the state in VAR, stays
	rm -rf build

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16
	@echo
	@echo 'FUZZ_SECONDS=n    how long `make fuzz` runs each of FUZZ_TARGETS (default 60, all)'
	@echo 'GRAPHS=dir        where `make graphs` draws (default build/graphs)'
	@echo 'SOAK_SECONDS=n    how long `make soak` lasts (default 1800)'
	@echo 'VAR=dir           state: database, images, logs, pid files (default var)'
	@echo 'SANITIZER=address,undefined | thread      build and test under a sanitizer'
	@echo 'BUILD=dir         where to build (default build, build/<sanitizer>)'
	@echo 'IMGCACHED_*=...   settings of the server, see build/imgcached --help'
