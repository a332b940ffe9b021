# SPDX-License-Identifier: MIT
# Build the vendored sources in VBUILD/src for the target of CC into
#   VBUILD/musl            headers, start files and libc.a
#   VBUILD/kernel-headers  links to the kernel's headers of the system
#   VBUILD/include         public headers of the other libraries
#   VBUILD/lib             libbearssl.a libz.a libsqlite3.a
# or, with HOST=1, for the host and its libc into VBUILD/host/lib, for sanitizers and fuzzing.
# The Makefile runs this file after fetch.sh: sources are found by wildcard.
# Given by it: VBUILD, absolute; CC AR RANLIB; HOSTCC; VFLAGS, its flags for the target.

S := $(VBUILD)/src
OUT := $(VBUILD)$(if $(HOST),/host)
O := $(OUT)/obj
Q := $(if $(V),,@)
COMPILE = $(CC) -Werror=implicit $(VFLAGS)

BEARSSL := $(patsubst $(S)/%.c,$(O)/%.o,$(wildcard $(S)/bearssl/src/*.c $(S)/bearssl/src/*/*.c))
ZLIB := $(patsubst %,$(O)/zlib/%.o,adler32 crc32 deflate inffast inflate inftrees trees zutil)
SQLITE := $(O)/sqlite3/sqlite3.o
AMALGAMATION := $(VBUILD)/sqlite3/sqlite3.c

# No seeder in the library: neither RDRAND alone nor a device file that a confined process lacks.
# The tls module injects bytes of getrandom(2); without them a handshake fails.
BEARSSL_FLAGS := -Os -DBR_USE_URANDOM=0 -DBR_RDRAND=0 -DBR_USE_UNIX_TIME=1
ZLIB_FLAGS := -O3 -DHAVE_HIDDEN
SQLITE_FLAGS := -Os -DNDEBUG -DHAVE_USLEEP=1 -DHAVE_FDATASYNC=1 -DHAVE_GMTIME_R=1 -DHAVE_ISNAN=1 \
	$(addprefix -DSQLITE_,THREADSAFE=0 TEMP_STORE=3 DEFAULT_MEMSTATUS=0 DQS=0 MAX_MMAP_SIZE=0 \
	DEFAULT_FILE_PERMISSIONS=0600 DEFAULT_FOREIGN_KEYS=1 TRUSTED_SCHEMA=0 UNTESTABLE \
	ENABLE_LOCKING_STYLE=0 LIKE_DOESNT_MATCH_BLOBS)
# These change the grammar, so the amalgamation is generated with them as well. Foreign keys need
# triggers; views, ATTACH and the authorizer serve SQL that a user types.
SQLITE_OMIT := $(addprefix -DSQLITE_OMIT_,ALTERTABLE ANALYZE AUTORESET AUTOVACUUM \
	CASE_SENSITIVE_LIKE_PRAGMA COMPILEOPTION_DIAGS COMPLETE DECLTYPE DEPRECATED DESERIALIZE \
	EXPLAIN GENERATED_COLUMNS GET_TABLE INCRBLOB INTROSPECTION_PRAGMAS JSON LOAD_EXTENSION \
	LOCALTIME LOOKASIDE PROGRESS_CALLBACK REINDEX SHARED_CACHE SHUTDOWN_DIRECTORIES TCL_VARIABLE \
	TEST_CONTROL TRACE UTF16 VIRTUALTABLE WINDOWFUNC XFER_OPT)

all: $(addprefix $(OUT)/lib/,libbearssl.a libz.a libsqlite3.a) $(VBUILD)/include/bearssl.h

$(OUT)/lib/libbearssl.a: $(BEARSSL)
$(OUT)/lib/libz.a: $(ZLIB)
$(OUT)/lib/libsqlite3.a: $(SQLITE)
$(OUT)/lib/%.a:
	@echo "  AR      $(@F)"
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcsD $@ $(sort $^)

$(VBUILD)/include/bearssl.h: $(AMALGAMATION)
	$(Q)mkdir -p $(@D) && cp $(S)/bearssl/inc/*.h $(S)/zlib/zlib.h $(S)/zlib/zconf.h \
		$(dir $(AMALGAMATION))sqlite3.h $(@D)

$(BEARSSL) $(ZLIB) $(SQLITE): $(O)/flags $(lastword $(MAKEFILE_LIST)) | headers

$(BEARSSL): $(O)/%.o: $(S)/%.c
	$(Q)mkdir -p $(@D) && $(COMPILE) $(BEARSSL_FLAGS) -I$(S)/bearssl/inc -I$(S)/bearssl/src -c $< -o $@

$(ZLIB): $(O)/%.o: $(S)/%.c
	$(Q)mkdir -p $(@D) && $(COMPILE) $(ZLIB_FLAGS) -c $< -o $@

# With the omits upstream's code warns of functions that are declared and not there.
$(SQLITE): $(AMALGAMATION)
	@echo "  CC      sqlite3.c"
	$(Q)mkdir -p $(@D) && $(COMPILE) $(SQLITE_FLAGS) $(SQLITE_OMIT) -c $< -o $@ 2>$(O)/sqlite3.log || \
		{ cat $(O)/sqlite3.log; false; }

$(AMALGAMATION): $(lastword $(MAKEFILE_LIST))
	@echo "  GEN     sqlite3.c"
	$(Q)rm -rf $(@D) && mkdir -p $(@D) && $(MAKE) -s -C $(@D) -f ../src/sqlite3/main.mk \
		TOP=../src/sqlite3 BCC='$(HOSTCC) -w' OPTS='$(SQLITE_OMIT)' sqlite3.c >$(VBUILD)/sqlite3.log

headers: $(if $(HOST),,$(VBUILD)/musl/lib/libc.a $(VBUILD)/kernel-headers)

# musl is built in its own tree, so that it sees relative paths only.
$(VBUILD)/musl/lib/libc.a: $(O)/flags
	@echo "  MUSL    libc.a"
	$(Q)cd $(S)/musl && $(MAKE) -s distclean && CC='$(CC)' AR='$(AR)' RANLIB='$(RANLIB)' \
		CFLAGS='-fno-pie -w' ./configure --prefix=/ --disable-shared --disable-wrapper \
		--target="$$($(CC) -dumpmachine)" >$(VBUILD)/musl.log
	$(Q)rm -rf $(VBUILD)/musl && $(MAKE) -s -C $(S)/musl DESTDIR=$(VBUILD)/musl install >>$(VBUILD)/musl.log

$(VBUILD)/kernel-headers: $(O)/flags
	$(Q)rm -rf $@ $@.new && mkdir -p $@.new && for name in linux/types.h asm/unistd.h asm-generic/types.h; do \
		file=$$(echo "#include <$$name>" | $(CC) -E -M -xc - | tr ' ' '\n' | grep "/$$name\$$") || \
			{ echo "vendor: $(CC) does not find <$$name>: install linux-libc-dev" >&2; exit 1; }; \
		ln -sfn "$${file%/*}" $@.new/"$${name%/*}"; \
	done && mv $@.new $@

# Another compiler or other flags: build again.
$(O)/flags: FORCE
	$(Q)mkdir -p $(@D) && echo '$(COMPILE)' | cmp -s - $@ || echo '$(COMPILE)' >$@

FORCE:
.PHONY: all headers FORCE
.DELETE_ON_ERROR:
