# SPDX-License-Identifier: MIT
# Build the vendored sources in VBUILD/src for the target of CC into
#   VBUILD/musl            headers, start files and libc.a
#   VBUILD/kernel-headers  links to the kernel's headers of the system
#   VBUILD/include         public headers of the other libraries
#   VBUILD/lib             libbearssl.a libz.a libsqlite3.a
# The Makefile runs this file after fetch.sh: sources are found by wildcard.
# Given by it: VBUILD, absolute; CC AR RANLIB for the target; HOSTCC; VFLAGS, its vendor_flags.

S := $(VBUILD)/src
O := $(VBUILD)/obj
Q := $(if $(V),,@)
COMPILE = $(CC) -Werror=implicit $(VFLAGS)

BEARSSL := $(patsubst $(S)/%.c,$(O)/%.o,$(wildcard $(S)/bearssl/src/*.c $(S)/bearssl/src/*/*.c))
ZLIB := $(patsubst %,$(O)/zlib/%.o,adler32 crc32 deflate inffast inflate inftrees trees zutil)
SQLITE := $(O)/sqlite3/sqlite3.o

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

all: $(addprefix $(VBUILD)/lib/,libbearssl.a libz.a libsqlite3.a)

$(VBUILD)/lib/libbearssl.a: $(BEARSSL)
$(VBUILD)/lib/libz.a: $(ZLIB)
$(VBUILD)/lib/libsqlite3.a: $(SQLITE)
$(VBUILD)/lib/%.a: | $(VBUILD)/include/bearssl.h
	@echo "  AR      $(@F)"
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcsD $@ $(sort $^)

$(VBUILD)/include/bearssl.h: $(SQLITE)
	$(Q)mkdir -p $(@D) && cp $(S)/bearssl/inc/*.h $(S)/zlib/zlib.h $(S)/zlib/zconf.h \
		$(O)/sqlite3/sqlite3.h $(@D)

$(BEARSSL): $(O)/%.o: $(S)/%.c | headers
	$(Q)mkdir -p $(@D) && $(COMPILE) $(BEARSSL_FLAGS) -I$(S)/bearssl/inc -I$(S)/bearssl/src -c $< -o $@

$(ZLIB): $(O)/%.o: $(S)/%.c | headers
	$(Q)mkdir -p $(@D) && $(COMPILE) $(ZLIB_FLAGS) -c $< -o $@

$(SQLITE): $(O)/sqlite3/sqlite3.c | headers
	@echo "  CC      sqlite3.c"
	$(Q)$(COMPILE) $(SQLITE_FLAGS) $(SQLITE_OMIT) -c $< -o $@ 2>$(O)/cc.log || { cat $(O)/cc.log; false; }

$(O)/sqlite3/sqlite3.c:
	@echo "  GEN     sqlite3.c"
	$(Q)mkdir -p $(@D) && $(MAKE) -s -C $(@D) -f ../../src/sqlite3/main.mk TOP=../../src/sqlite3 \
		BCC='$(HOSTCC) -w' OPTS='$(SQLITE_OMIT)' sqlite3.c >$(O)/sqlite3.log

headers: $(VBUILD)/musl/lib/libc.a $(VBUILD)/kernel-headers

# musl is built in its own tree, so that it sees relative paths only.
$(VBUILD)/musl/lib/libc.a:
	@echo "  MUSL    libc.a"
	$(Q)cd $(S)/musl && CC='$(CC)' AR='$(AR)' RANLIB='$(RANLIB)' CFLAGS='-fno-pie -w' ./configure \
		--prefix=/ --disable-shared --disable-wrapper --target="$$($(CC) -dumpmachine)" >$(O)-musl.log
	$(Q)$(MAKE) -s -C $(S)/musl DESTDIR=$(VBUILD)/musl install >>$(O)-musl.log

$(VBUILD)/kernel-headers:
	$(Q)mkdir -p $@.new && for name in linux/types.h asm/unistd.h asm-generic/types.h; do \
		file=$$(echo "#include <$$name>" | $(CC) -E -M -xc - | tr ' ' '\n' | grep "/$$name\$$") || \
			{ echo "vendor: $(CC) does not find <$$name>: install linux-libc-dev" >&2; exit 1; }; \
		ln -sfn "$${file%/*}" $@.new/"$${name%/*}"; \
	done && mv $@.new $@

.PHONY: all headers
.DELETE_ON_ERROR:
