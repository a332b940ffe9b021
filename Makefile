# SPDX-License-Identifier: MIT
# make                  build/qbox, a static binary for the target of CC
# make install          binary, links, man pages, completion below DESTDIR and PREFIX
# make test             everything CI runs; make check: the quick part of it
# make initramfs        build/initramfs.cpio.gz: the binary, its links, minit as /init; and what lies in
#                       the directories TREE="DIR..."
# make check-unit UNIT=NAME, make demo size lint asan fuzz mutants fault bench clean
# Variables: CC or CROSS_COMPILE, CFLAGS LDFLAGS, DESTDIR PREFIX, TREE, V=1, BUILD VBUILD, FUZZ_SECONDS

VERSION := 0.1.0
SIZE_LIMIT := 1050000

ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
HOSTCC ?= cc
tool = $(or $(filter /%,$(shell $(CC) -print-prog-name=$(1))),$(CROSS_COMPILE)$(1))
ifeq ($(origin AR),default)
AR := $(call tool,ar)
endif
STRIP ?= $(call tool,strip)
RANLIB ?= $(call tool,ranlib)
PREFIX ?= /usr/local
BUILD ?= build
VBUILD ?= $(BUILD)/vendor
override VBUILD := $(abspath $(VBUILD))
CFLAGS ?= -Os
FUZZ_SECONDS ?= 60
Q := $(if $(V),,@)
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

# Target flags, shared with vendored code. Nothing of the host's libc: musl's headers, the kernel's,
# the compiler's own last. Nothing of its defaults that grows or varies: PIE, unwind tables, paths.
# HOST=1 (sanitizers, fuzzing) uses the host's libc instead.
SECTIONS := -ffunction-sections -fdata-sections
ifndef HOST
TARGET := -nostdinc -isystem $(VBUILD)/musl/include -isystem $(VBUILD)/kernel-headers \
	-isystem $(VBUILD)/include -isystem $(shell $(CC) -print-file-name=include) -fno-pie \
	-fno-asynchronous-unwind-tables -fno-unwind-tables $(SECTIONS) -ffile-prefix-map=$(VBUILD)=vendor
VLIB := $(VBUILD)/lib
MUSL := $(VBUILD)/musl/lib
LINK = $(CC) -static -no-pie -nostdlib -Wl,--gc-sections,--build-id=none,-z,noexecstack $(LDFLAGS) \
	$(MUSL)/crt1.o $(MUSL)/crti.o $(1) -Wl,--start-group $(VLIBS) $(MUSL)/libc.a \
	$(shell $(CC) -print-libgcc-file-name) -Wl,--end-group $(MUSL)/crtn.o -o $@
else
TARGET := -isystem $(VBUILD)/include $(SECTIONS)
VLIB := $(VBUILD)/host/lib
LINK = $(CC) $(CFLAGS) $(LDFLAGS) $(1) $(VLIBS) -lm -o $@
endif
VLIBS := $(addprefix $(VLIB)/,libbearssl.a libz.a libsqlite3.a)
COMPILE = $(CC) -std=c11 -D_GNU_SOURCE -g $(CFLAGS) $(TARGET) -fstack-protector-strong \
	-Werror=switch -Werror=unused-function -Werror=implicit $(WARN) -Ilib -Iapplets -I$(BUILD) -MMD -MP

APPLETS := $(filter-out main,$(patsubst applets/%.c,%,$(wildcard applets/*.c)))
HEADERS := $(patsubst %,$(BUILD)/gen/%.h,main $(APPLETS))
APPLET_OBJ := $(patsubst %,$(BUILD)/obj/applets/%.o,main $(APPLETS)) $(BUILD)/obj/gen/applets.o
LIB_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard lib/*/*.c))) $(BUILD)/obj/gen/syscalls.o
UNITS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*.c))
UNIT ?= $(UNITS)
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzzer/%,$(wildcard tests/fuzz/*.c))
MANS := $(patsubst %,$(BUILD)/man/%.1,qbox $(APPLETS))
GEN = awk -f applets/gen.awk -v version=$(VERSION) -v mode=$(1)

all: $(BUILD)/qbox $(MANS) $(BUILD)/qbox.bash

$(BUILD)/qbox: $(BUILD)/qbox.debug
	$(Q)$(STRIP) -s -R .comment -o $@ $<

$(BUILD)/qbox.debug: $(APPLET_OBJ) $(LIB_OBJ)
	@echo "  LINK    $@"
	$(Q)$(call LINK,$(APPLET_OBJ) $(LIB_OBJ)) -Wl,-Map=$(BUILD)/qbox.map

$(BUILD)/obj/%.o: %.c $(BUILD)/flags | vendor $(HEADERS)
	@echo "  CC      $<"
	$(Q)mkdir -p $(@D) && $(COMPILE) -c $< -o $@
$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/flags | vendor
	$(Q)mkdir -p $(@D) && $(COMPILE) -c $< -o $@
$(BUILD)/obj/lib/format/digest.o: CFLAGS += -O3

$(BUILD)/gen/%.h: applets/%.c applets/gen.awk
	$(Q)mkdir -p $(@D) && $(call GEN,header) $< >$@
$(BUILD)/gen/applets.c: applets/main.c $(APPLETS:%=applets/%.c) applets/gen.awk vendor/VERSIONS Makefile
	$(Q)mkdir -p $(@D) && $(call GEN,table) $(filter applets/%.c,$^) vendor/VERSIONS >$@
$(BUILD)/gen/syscalls.c: lib/engine/syscalls.txt lib/engine/syscalls.awk
	$(Q)mkdir -p $(@D) && LC_ALL=C awk -f lib/engine/syscalls.awk $< >$@
$(BUILD)/man/qbox.1: applets/main.c applets/gen.awk
	$(Q)mkdir -p $(@D) && $(call GEN,man) $< >$@
$(BUILD)/man/%.1: applets/%.c applets/gen.awk
	$(Q)mkdir -p $(@D) && $(call GEN,man) $< >$@
$(BUILD)/qbox.bash: applets/main.c $(APPLETS:%=applets/%.c) applets/gen.awk
	$(Q)$(call GEN,bash) $(filter applets/%.c,$^) >$@

# Another compiler or other flags: build again.
$(BUILD)/flags: FORCE
	$(Q)mkdir -p $(@D) && echo '$(COMPILE)' | cmp -s - $@ || echo '$(COMPILE)' >$@

$(VBUILD)/src/fetched: vendor/VERSIONS vendor/fetch.sh $(wildcard vendor/patches/*)
	$(Q)vendor/fetch.sh $(VBUILD) && touch $@
vendor: $(VBUILD)/src/fetched
	$(Q)flock $(VBUILD)/src $(MAKE) --no-print-directory -f vendor/vendor.mk VBUILD=$(VBUILD) HOST=$(HOST) \
		HOSTCC='$(HOSTCC)' AR='$(AR)' RANLIB='$(RANLIB)' V=$(V) \
		$(if $(HOST),CC='$(HOSTCC)' VFLAGS='$(SECTIONS)',CC='$(CC)' VFLAGS='$(TARGET)')

# Units link against an archive of what compiles, so that a broken module stops its own tests only.
$(BUILD)/unit/%: tests/unit/%.c tests/unit/unit.h $(BUILD)/libqbox.a | vendor
	$(Q)mkdir -p $(@D) && $(COMPILE) -MF $@.d -Itests/unit -c $< -o $@.o && $(call LINK,$@.o $(BUILD)/libqbox.a)
$(BUILD)/fuzzer/%: tests/fuzz/%.c $(BUILD)/libqbox.a | vendor
	$(Q)mkdir -p $(@D) && $(COMPILE) -MF $@.d -fsanitize=fuzzer $< $(BUILD)/libqbox.a $(VLIBS) -lm -o $@
$(BUILD)/libqbox.a: $(wildcard $(LIB_OBJ))
	$(Q)rm -f $@ && $(AR) rcsD $@ $^
objects: $(LIB_OBJ)
link-units: $(UNIT:%=$(BUILD)/unit/%)
link-fuzzers: $(FUZZERS)
units fuzzers: vendor
	+-$(Q)$(again) -k objects
	+$(Q)$(again) -k link-$@

SANITIZE := address,undefined
again = $(MAKE) --no-print-directory
asan_build = $(again) HOST=1 VBUILD=$(VBUILD) BUILD=$(BUILD)/asan CFLAGS='-O1 -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined'
fuzz_build = $(again) HOST=1 VBUILD=$(VBUILD) BUILD=$(BUILD)/fuzz CC=clang CFLAGS='-O1 -fsanitize=fuzzer-no-link,$(SANITIZE) -fno-sanitize-recover=undefined'
run = BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run.sh

check-unit:
	+$(Q)$(again) units; $(run) $(UNIT:%=unit/%)
check: all
	+$(Q)$(again) units && $(run) layers $(UNITS:%=unit/%) applets
asan:
	+$(Q)$(asan_build) all units && $(run) asan asan-applets
fuzz:
	+$(Q)$(fuzz_build) fuzzers && $(run) fuzz
test:
	+$(Q)tests/setup.sh && $(again) all units && $(asan_build) objects units && $(fuzz_build) objects fuzzers
	$(Q)FUZZ_SECONDS=10 BUILD=$(BUILD) tests/run.sh layers unit applets guest asan fuzz
demo:
	+$(Q)tests/setup.sh && $(again) all && BUILD=$(BUILD) tests/demo.sh
size: $(BUILD)/qbox
	$(Q)awk -v build=$(BUILD) -v limit=$(SIZE_LIMIT) -v total=$$(wc -c <$<) -f tests/size.awk $(BUILD)/qbox.map
initramfs: $(BUILD)/qbox
	$(Q)initramfs/build.sh $< $(BUILD)/initramfs.cpio.gz $(TREE)
lint mutants fault bench: all
	+$(Q)BUILD=$(BUILD) VBUILD=$(VBUILD) tests/$(if $(filter lint,$@),lint.sh,$@/run.sh)

install: all
	$(Q)mkdir -p $(addprefix $(DESTDIR)$(PREFIX)/,bin share/man/man1 share/bash-completion/completions)
	$(Q)install -m 755 $(BUILD)/qbox $(DESTDIR)$(PREFIX)/bin/qbox
	$(Q)install -m 644 $(MANS) $(DESTDIR)$(PREFIX)/share/man/man1
	$(Q)install -m 644 $(BUILD)/qbox.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/qbox
	$(Q)for name in $(APPLETS); do ln -sf qbox $(DESTDIR)$(PREFIX)/bin/$$name; \
		ln -sf qbox $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$name; done
clean:
	rm -rf $(BUILD)

FORCE:
.PHONY: all initramfs vendor objects units fuzzers link-units link-fuzzers check-unit check asan fuzz test demo size lint mutants fault bench install clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(BUILD)/obj $(BUILD)/unit $(BUILD)/fuzzer -name '*.d' 2>/dev/null)
