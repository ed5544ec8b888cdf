# Builds triton: one static, position-independent musl binary. `make help` lists what can be asked.
#
# Sources are found, not listed: every src/**/*.c goes into the program, every test/unit/<folder>/<name>_test.c
# into build/unit, every test/fuzz/<name>.c becomes build/asan/fuzz/<name>. Everything made lies in build/;
# build/cache holds the third-party source packages and survives `clean`.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

ARCH     := $(shell uname -m)
CC       := musl-gcc
VERSION  := $(shell cat VERSION 2>/dev/null || echo 0.1.0)
REVISION := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
# Kinds of records that this build knows (src/base/version.h): raised with each new kind.
RECORDS  ?= 5
PREFIX   ?= /usr/local
SIZE_MAX := 3145728

# For whoever asks for everything at once and does not say how many at a time.
JOBS   = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

# `make V=1` shows whole commands.
Q     := $(if $(V),,@)
say    = @printf '  %-5s %s\n' $(1) $(2)

# --- what there is ----------------------------------------------------------------------------------

SRC   := triton.c $(sort $(shell find src -name '*.c'))
UNIT  := $(sort $(shell find test/unit -name '*.c'))
POWER := $(sort $(wildcard test/power/*.c))
FUZZ  := $(sort $(basename $(notdir $(wildcard test/fuzz/*.c))))
OBJ   := $(SRC:%.c=build/obj/%.o)
A     := build/asan
UNITS := $(UNIT:%.c=build/obj/%.o)
SIM   := $(sort $(wildcard src/cluster/*.c src/store/*.c test/sim/*.c)) test/unit/cluster/simdisk.c
# One stamp for all libraries, named by the content of what makes them: copying build/ between trees stays valid.
VENDOR := build/vendor/.made-$(shell cd vendor && cat packages.txt SHA256SUMS fetch build.mk raft-edits *.c *.h \
	include/*.h | sha256sum | cut -c 1-16)
LIBS  := $(patsubst %,build/vendor/lib%.a,raft nl lmdb bearssl signify zstd lzma bz2 z)

# --- flags ------------------------------------------------------------------------------------------

WARN   := -Wall -Wextra -Werror
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero \
	-fno-strict-aliasing -fno-strict-overflow -fno-delete-null-pointer-checks \
	$(if $(filter x86_64,$(ARCH)),-fcf-protection=full)
# The kernel's headers come last (-idirafter), so that musl's own always win.
FLAGS   = -std=gnu17 -D_GNU_SOURCE -include base/banned.h -Isrc -MMD -MP -g -ffile-prefix-map=$(CURDIR)=.
CFLAGS  = -O2 -ffunction-sections -fdata-sections $(HARDEN) $(FLAGS) -isystem build/vendor/include -idirafter build/uapi

# The link line is our own because `musl-gcc -static-pie` silently makes a dynamic program.
MUSL   := /usr/lib/$(ARCH)-linux-musl
GCC_LIB = $(shell gcc -print-file-name=$(1))
# The stack size is that of threads which ask for none (musl's default is 128 KiB).
LINK    = $(CC) -static -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text,-z,relro,-z,now,-z,noexecstack \
	-Wl,-z,separate-code,-z,stack-size=524288,--gc-sections,--build-id=sha1 -o $@ \
	$(MUSL)/rcrt1.o $(MUSL)/crti.o $(call GCC_LIB,crtbeginS.o) $(1) \
	-Wl,--start-group $(LIBS) -Wl,--end-group $(call GCC_LIB,crtendS.o) $(MUSL)/crtn.o

# --- the program ------------------------------------------------------------------------------------

.PHONY: help all deps test api-table test-vm check layers asan fuzz fuzz-smoke bench leaks install up down clean dist-cache
.PHONY: FORCE harness soak fuzz-long
.SUFFIXES:

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

all: build/triton ## build/triton (the default)

deps: ## install the packages that building and testing need
	packaging/deps build test

build/triton: build/triton.debug
	@strip -o $@ $<

# The objects, not the archive: constructors (relro.c, libnl's like) count only when linked by name.
build/triton.debug: $(OBJ) build/obj/.list | $(VENDOR)
	$(call say,link,$@)
	$Q$(call LINK,$(OBJ))
	@test/elf $@

# Another build of the same sources, for the tests of upgrades.
build/next/triton: $(OBJ) build/obj/.version | $(VENDOR)
	@mkdir -p $(@D)
	$(call say,link,$@)
	$Q$(CC) $(CFLAGS) $(WARN) -DTRITON_VERSION='"$(VERSION).next"' -DTRITON_REVISION='"next"' -DTRITON_RECORDS=$(RECORDS) -c -o $(@D)/version.o src/base/version.c
	$Q$(call LINK,$(filter-out %/base/version.o,$(OBJ)) $(@D)/version.o)
	@strip $@

build/libtriton.a: $(filter-out build/obj/triton.o,$(OBJ)) build/obj/.list
	@rm -f $@
	@ar rcs $@ $(filter %.o,$^)

# Changes when a source file comes or goes, so that what was linked with a deleted one is linked again.
build/obj/.list: FORCE
	@mkdir -p $(@D)
	@echo '$(SRC) $(UNIT)' | cmp -s - $@ || echo '$(SRC) $(UNIT)' >$@

build/obj/%.o: %.c Makefile | $(VENDOR)
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$Q$(CC) $(CFLAGS) $(WARN) $(if $(filter test/%,$<),-Itest) -c -o $@ $<

-include $(OBJ:.o=.d) $(UNITS:.o=.d) $(patsubst test/%.c,build/obj/test/%.d,$(wildcard test/cluster/*.c)) $(POWER:%.c=build/obj/%.d)

# --- third-party libraries --------------------------------------------------------------------------

$(VENDOR):
	vendor/fetch
	+@$(MAKE) --no-print-directory -f vendor/build.mk CC=$(CC) CFLAGS="$(HARDEN) -ffunction-sections -fdata-sections"
	@rm -f build/vendor/.made-*
	@touch $@

# What `triton version` says. By content: another commit compiles one file again.
build/obj/.version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION) $(REVISION) $(RECORDS)' | cmp -s - $@ || echo '$(VERSION) $(REVISION) $(RECORDS)' >$@

build/obj/src/base/version.o $A/obj/src/base/version.o: build/obj/.version
build/obj/src/base/version.o $A/obj/src/base/version.o: \
	FLAGS += -DTRITON_VERSION='"$(VERSION)"' -DTRITON_REVISION='"$(REVISION)"' -DTRITON_RECORDS=$(RECORDS)

# The same program as a build that knows records up to % only: for upgrades from one to the other (test/cluster).
build/triton-records-%: build/triton.debug
	$Q$(CC) $(CFLAGS) -DTRITON_VERSION='"$(VERSION)"' -DTRITON_REVISION='"records $*"' -DTRITON_RECORDS=$* -c -o $@.o src/base/version.c
	$Q$(call LINK,$(filter-out build/obj/src/base/version.o,$(OBJ)) $@.o)
	@rm $@.o

build/notices.txt: vendor/notices vendor/NOTICES.md vendor/raft-edits | $(VENDOR)
	@vendor/notices >$@

build/obj/src/tool/licenses.o $A/obj/src/tool/licenses.o: build/notices.txt

dist-cache: $(VENDOR) ## build/cache.tar: the source packages, to build without a network
	tar -cf build/cache.tar -C build --exclude=cache/vm --exclude=cache/npm --exclude=cache/debian-rootfs.tar cache

# --- tests ------------------------------------------------------------------------------------------

build/unit: $(UNITS) build/libtriton.a | $(VENDOR)
	$(call say,link,$@)
	$Q$(call LINK,$(UNITS) build/obj/src/base/relro.o build/libtriton.a)

# A data center in one process (test/sim/world.h). Its replicas are the program's, with small pieces of everything.
SIM_SMALL := -DLOG_SEGMENT_BYTES=16384 -DINFLIGHT_MAX=6 -DCHUNK_BYTES=2048 -DSNAPSHOT_PIECE=4096 -DRESERVE_STEP=65536 -DRESERVE_LEAST=65536

build/sim: $(SIM:%.c=build/simobj/%.o) build/libtriton.a | $(VENDOR)
	$(call say,link,$@)
	$Q$(call LINK,$(filter %.o,$^) build/obj/src/base/relro.o build/libtriton.a)

build/simobj/%.o: %.c Makefile | $(VENDOR)
	@mkdir -p $(@D)
	$(call say,sim,$<)
	$Q$(CC) $(CFLAGS) $(WARN) $(SIM_SMALL) -Itest -c -o $@ $<

-include $(SIM:%.c=build/simobj/%.d)

# What the Docker API takes, as JSON: for the test that walks it.
build/apitable: build/obj/test/apitable.o build/obj/test/unit/docker/apitable.o build/libtriton.a | $(VENDOR)
	$(call say,link,$@)
	$Q$(call LINK,$(filter %.o,$^) build/obj/src/base/relro.o build/libtriton.a)

api-table: build/unit ## write the table of endpoints and options in docs/api.md anew
	@API_TABLE=write build/unit docker/apitable/the_table >/dev/null

# The calls to the disk go through test/power/record.c.
RECORDED := open openat close write pwrite writev fsync fdatasync ftruncate fallocate renameat unlinkat mkdir replica_open db_boot_id
build/power: $(POWER:%.c=build/obj/%.o) build/libtriton.a | $(VENDOR)
	$(call say,link,$@)
	$Q$(call LINK,$(POWER:%.c=build/obj/%.o) build/obj/src/base/relro.o build/libtriton.a $(RECORDED:%=-Wl,--wrap=%))

build/bench/%: build/obj/test/bench/%.o build/libtriton.a | $(VENDOR)
	@mkdir -p $(@D)
	$(call say,link,$@)
	$Q$(call LINK,$< build/obj/src/base/relro.o build/libtriton.a)

# The harness of test/cluster: the wire, the clients, the checker of what they saw.
HARNESS := build/harness/link build/harness/clients build/harness/check

.SECONDARY: $(HARNESS:build/harness/%=build/obj/test/cluster/%.o)

harness: $(HARNESS) build/triton-records-1 build/triton-clock

# The program with a wall clock that a test sets.
build/triton-clock: build/obj/test/cluster/clock.o build/triton.debug
	$Q$(call LINK,$(OBJ) $< $(foreach f,wall_ns mono_ns mono_ms boot_ms,-Xlinker --wrap=clock_$f))

build/harness/clients: build/obj/test/cluster/clients_ask.o build/obj/test/cluster/clients_live.o

build/harness/%: build/obj/test/cluster/%.o build/libtriton.a | $(VENDOR)
	@mkdir -p $(@D)
	$(call say,link,$@)
	$Q$(call LINK,$(filter %.o,$^) build/obj/src/base/relro.o build/libtriton.a)

# The same sources with clang, the host's libc and sanitizers, in build/asan: for `make asan` and the fuzzers.
ASAN_CC := clang
# NULL + 0 is what str_drop(STR_NONE, 0) does, and what C2y says is fine: hence no pointer-overflow.
SANITIZE := -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize=pointer-overflow -fno-sanitize-recover=undefined
ASAN     = -O1 $(FLAGS) -fno-omit-frame-pointer -isystem $A/vendor/include $(SANITIZE) -Wall -Wextra -Wno-sometimes-uninitialized
ASAN_LIBS := $(LIBS:build/%=$A/%)
ASAN_VENDOR := $(VENDOR:build/%=$A/%)
A_OBJ   := $(SRC:%.c=$A/obj/%.o)
A_UNITS := $(UNIT:%.c=$A/obj/%.o)
A_LINK   = $(ASAN_CC) $(SANITIZE) $(1) -o $@ $(2) -Wl,--start-group $(ASAN_LIBS) -Wl,--end-group -lpthread

$(ASAN_VENDOR): | $(VENDOR)
	+@$(MAKE) --no-print-directory -f vendor/build.mk DIR=$A/vendor CC=$(ASAN_CC) \
		CFLAGS="-O1 -fno-omit-frame-pointer -fsanitize=address,fuzzer-no-link"
	@rm -f $A/vendor/.made-*
	@touch $@

$A/obj/%.o: %.c Makefile | $(ASAN_VENDOR)
	@mkdir -p $(@D)
	$(call say,asan,$<)
	$Q$(ASAN_CC) $(ASAN) $(if $(filter test/%,$<),-Itest) -c -o $@ $<

$A/libtriton.a: $(filter-out $A/obj/triton.o,$(A_OBJ)) build/obj/.list
	@rm -f $@
	@ar rcs $@ $(filter %.o,$^)

$A/unit: $(A_UNITS) $A/libtriton.a
	$(call say,link,$@)
	$Q$(call A_LINK,,$^)

$A/fuzz/%: $A/obj/test/fuzz/%.o $A/libtriton.a
	@mkdir -p $(@D)
	$(call say,link,$@)
	$Q$(call A_LINK,-fsanitize=fuzzer,$^)

-include $(A_OBJ:.o=.d) $(A_UNITS:.o=.d) $(FUZZ:%=$A/obj/test/fuzz/%.d)
.PRECIOUS: $A/obj/%.o

asan: $A/unit ## the unit tests under address and undefined-behaviour sanitizers
	@UNIT=$A/unit ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 test/run unit

# Without clang there are no fuzzers; test/fuzz/run then says that it skips them.
fuzz: $(if $(shell command -v $(ASAN_CC)),$(FUZZ:%=$A/fuzz/%)) ## build the fuzzers: build/asan/fuzz/NAME

fuzz-smoke: fuzz ## run each fuzzer for a few seconds over its corpus
	@test/run fuzz

# What each has had is counted in test/fuzz/hours.
fuzz-long: fuzz ## fuzz until it is ended, at idle priority, what was fuzzed least first
	@test/fuzz/long

test: ## install what is missing, build, run every tier; ends in "N passed, N failed, N skipped"
	@packaging/deps build test
	@mkdir -p build/test
	@+$(MAKE) --no-print-directory $(JOBS) all build/next/triton build/unit build/apitable build/power build/sim harness fuzz >build/test/build.log 2>&1 || { tail -60 build/test/build.log; exit 1; }
	@test/run

# All the end to end tests on Debian's own kernel under software emulation: hours; it goes on where it was ended. N=20: so many now.
test-vm: build/triton build/unit build/apitable build/next/triton ## run every end to end test in an emulated machine (cgroup v2, project quotas): N=n
	@packaging/deps test
	@test/vm/run --all $(N)

check: all asan ## sanitizers, cppcheck, layers, format, hardening and size of the program
	@test/layers
	@test/format
	@test/elf build/triton $(SIZE_MAX)
	@mkdir -p build/cppcheck
	@cppcheck -q -j2 --cppcheck-build-dir=build/cppcheck --error-exitcode=1 --inline-suppr --std=c11 \
		--enable=warning --suppressions-list=test/cppcheck --library=posix,gnu -Isrc src

soak: all harness ## clients and faults on several nodes: SEED=n MINUTES=n NODES=n
	@packaging/deps test
	@test/cluster/soak

layers: ## check that includes point down the layers of src/LAYERS only
	@test/layers

# --- the rest ---------------------------------------------------------------------------------------

bench: build/triton build/bench/api build/bench/placement build/bench/writes $(HARNESS) ## measure against dockerd; PARTS="life thousand" for some of it only
	@packaging/deps bench
	@test/bench/run $(PARTS)

leaks: build/triton build/bench/api ## does anything stay after 10,000 containers and 100,000 requests?
	@packaging/deps test
	@test/bench/leaks

install: build/triton ## copy the program and its systemd unit to DESTDIR/PREFIX
	install -D -m 0755 build/triton $(DESTDIR)$(PREFIX)/bin/triton
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's,@PREFIX@,$(PREFIX),' packaging/triton.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/triton.service

up: ## install what is missing, build, start a data center of one node here
	@packaging/up

down: ## stop it again
	packaging/down

clean: ## remove what was built; downloaded packages (build/cache) stay
	@mkdir -p build
	find build -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} +
