# Compiles the third-party libraries: only the files we use, with our own flags, no configure scripts.
# Called by the Makefile after vendor/fetch has unpacked the sources to build/vendor:
#   make -f vendor/build.mk DIR=build/vendor CC=musl-gcc CFLAGS="..."
# DIR gets lib*.a, obj/ and include/, which holds all the public headers.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
S    := build/vendor
DIR  ?= $S
UAPI := build/uapi
LIST := bearssl z lmdb nl zstd lzma bz2 signify raft

all: $(LIST:%=$(DIR)/lib%.a) $(DIR)/include/.made
.PHONY: all

# The kernel's headers, where musl's compiler can see them, without /usr/include (glibc) coming along.
$(UAPI)/.made:
	mkdir -p $(UAPI)
	ln -sfn /usr/include/linux $(UAPI)/linux
	ln -sfn /usr/include/asm-generic $(UAPI)/asm-generic
	ln -sfn /usr/include/$(shell gcc -print-multiarch)/asm $(UAPI)/asm
	touch $@

# --- file lists: <library>_dir is the package folder, _src is relative to it -------------------------
files = $(patsubst $S/$($1_dir)/%,%,$(wildcard $(addprefix $S/$($1_dir)/,$2)))

bearssl_dir := bearssl
bearssl_src := $(call files,bearssl,src/*.c src/*/*.c)
bearssl_flags := -I$S/bearssl/src -I$S/bearssl/inc

z_dir := zlib
z_src := adler32.c crc32.c deflate.c infback.c inffast.c inflate.c inftrees.c trees.c zutil.c compress.c uncompr.c
z_flags := -DHAVE_UNISTD_H -D_LARGEFILE64_SOURCE=1

lmdb_dir := lmdb
lmdb_src := libraries/liblmdb/mdb.c libraries/liblmdb/midl.c
lmdb_flags := -Wno-implicit-fallthrough

# nf_tables messages go over the core library; classifiers (cls) and queues other than these are not used.
nl_dir := libnl3
nl_src := $(addprefix lib/,addr.c attr.c cache.c cache_mngr.c cache_mngt.c data.c error.c handlers.c hash.c \
	hashtable.c mpls.c msg.c nl.c object.c socket.c utils.c version.c) \
	$(call files,nl,lib/genl/*.c) \
	$(addprefix lib/route/,act.c addr.c class.c classid.c cls.c link.c mdb.c neigh.c neightbl.c netconf.c \
	nexthop.c nexthop_encap.c nh_encap_mpls.c qdisc.c route.c route_obj.c route_utils.c rtnl.c rule.c tc.c) \
	$(call files,nl,lib/route/link/*.c lib/route/qdisc/*.c)
nl_flags := -DSYSCONFDIR='"/etc/libnl"' -I$S/libnl3/include/linux-private -I$S/libnl3/include \
	-include vendor/libnl-defs.h -I$(DIR)/obj/libnl3 -Wno-unused-result

zstd_dir := libzstd
zstd_src := $(call files,zstd,lib/common/*.c lib/decompress/*.c)
zstd_flags := -DZSTD_LEGACY_SUPPORT=0 -DZSTD_DISABLE_ASM=1 -DDEBUGLEVEL=0 -DXXH_NAMESPACE=ZSTD_

# Only what decodes .xz, in the caller's thread; all its filters and checks.
lzma_dir := xz-utils
lzma_src := $(addprefix src/liblzma/,$(addprefix common/,block_decoder.c block_header_decoder.c block_util.c common.c filter_common.c \
	filter_decoder.c filter_flags_decoder.c index_hash.c stream_decoder.c stream_flags_common.c stream_flags_decoder.c vli_decoder.c \
	vli_size.c) check/check.c check/crc32_fast.c check/crc32_table.c check/crc64_fast.c check/crc64_table.c check/sha256.c \
	lz/lz_decoder.c lzma/lzma_decoder.c lzma/lzma2_decoder.c delta/delta_common.c delta/delta_decoder.c \
	$(addprefix simple/,simple_coder.c simple_decoder.c arm.c arm64.c armthumb.c ia64.c powerpc.c sparc.c x86.c))
lzma_flags := $(addprefix -I$S/xz-utils/src/,liblzma liblzma/api liblzma/common liblzma/check liblzma/lz liblzma/rangecoder \
	liblzma/lzma liblzma/delta liblzma/simple common) -DTUKLIB_SYMBOL_PREFIX=lzma_ -DHAVE_STDBOOL_H -DHAVE_INTTYPES_H -DHAVE_STDINT_H \
	-DHAVE_BYTESWAP_H -DSIZEOF_SIZE_T=8 -DTUKLIB_FAST_UNALIGNED_ACCESS $(addprefix -DHAVE_CHECK_,CRC32 CRC64 SHA256) \
	-DHAVE_DECODERS $(addprefix -DHAVE_DECODER_,LZMA1 LZMA2 DELTA ARM ARM64 ARMTHUMB IA64 POWERPC SPARC X86)

bz2_dir := bzip2
bz2_src := bzlib.c compress.c crctable.c decompress.c huffman.c randtable.c blocksort.c
bz2_flags := -DBZ_NO_STDIO -D_FILE_OFFSET_BITS=64

# compat.h stands in for OpenBSD's headers.
signify_dir := signify-openbsd
signify_src := bcrypt_pbkdf.c blowfish.c crypto_api.c mod_ed25519.c mod_ge25519.c fe25519.c sc25519.c sha2.c \
	timingsafe_bcmp.c
signify_flags := -include $S/signify-openbsd/compat.h -include sys/types.h -idirafter $(DIR)/obj/signify-openbsd/compat

# The pure engine: no libuv backend, no v0 interface, driven by raft_step(). Assertions stay on.
raft_dir := raft
raft_src := $(addprefix src/,byte.c client.c compress.c configuration.c convert.c election.c entry.c err.c heap.c \
	membership.c message.c progress.c random.c raft.c recv.c recv_append_entries.c \
	recv_append_entries_result.c recv_install_snapshot.c recv_request_vote.c recv_request_vote_result.c \
	recv_timeout_now.c replication.c restore.c state.c syscall.c timeout.c tracing.c trail.c)
raft_flags := -I$(DIR)/include -Wno-unused-parameter

# --- rules -------------------------------------------------------------------------------------------
COMMON := -O2 -g -std=gnu11 -D_GNU_SOURCE -w -idirafter $(UAPI)

# What a library is compiled with, by content: copying build/ between trees rebuilds nothing.
$(DIR)/.flags-%: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(COMMON) $(CFLAGS) $(subst ','\'',$($*_flags))' | cmp -s - $@ || \
		echo '$(CC) $(COMMON) $(CFLAGS) $(subst ','\'',$($*_flags))' >$@
.PHONY: FORCE
.PRECIOUS: $(DIR)/.flags-%

define library
$1_obj := $$($1_src:%.c=$(DIR)/obj/$$($1_dir)/%.o)
$(DIR)/lib$1.a: $$($1_obj) $$($1_extra)
	@rm -f $$@
	@ar rcs $$@ $$^
	@echo "  vendor lib$1.a"
$(DIR)/obj/$$($1_dir)/%.o: $S/$$($1_dir)/%.c $(DIR)/.flags-$1 | $(DIR)/include/.made $(UAPI)/.made
	@mkdir -p $$(@D)
	@$(CC) $(COMMON) $(CFLAGS) $$($1_flags) -c -o $$@ $$<
endef
signify_extra := $(DIR)/obj/random.o
$(foreach l,$(LIST),$(eval $(call library,$l)))

$(DIR)/obj/random.o: vendor/random.c $(DIR)/.flags-signify
	@mkdir -p $(@D)
	@$(CC) $(COMMON) $(CFLAGS) -c -o $@ $<

# All public headers in one folder; and the small headers that sources expect to be generated or found.
$(DIR)/include/.made: vendor/build.mk $(wildcard vendor/include/*) $(wildcard $S/*/.unpacked)
	@rm -rf $(@D)
	@mkdir -p $(@D) $(DIR)/obj/signify-openbsd/compat/sys $(DIR)/obj/libnl3/netlink-private
	@cp $S/bearssl/inc/*.h $S/zlib/zlib.h $S/zlib/zconf.h $S/lmdb/libraries/liblmdb/lmdb.h \
		$S/libzstd/lib/zstd.h $S/libzstd/lib/zstd_errors.h $S/bzip2/bzlib.h $S/xz-utils/src/liblzma/api/lzma.h vendor/include/*.h $(@D)
	@cp -r $S/libnl3/include/netlink $(@D)/netlink
	@cp -r $S/xz-utils/src/liblzma/api/lzma $(@D)/lzma
	@sed 's/@enable_v0@/no/' $S/raft/include/raft.h.in >$(@D)/raft.h
	@: >$(DIR)/obj/signify-openbsd/compat/sys/cdefs.h
	@: >$(DIR)/obj/signify-openbsd/compat/libutil.h
	@: >$(DIR)/obj/libnl3/defs.h
	@touch $@
