/* The device program of a version 2 control group: the kernel asks it at each open and mknod (bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE).
 * The program is a chain of blocks, one for each allowed device; falling off the end is "no". */
#include "os/cgroup_v.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_INSNS 2048

static void add(struct bpf_insn *p, size_t *n, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	p[(*n)++] = (struct bpf_insn){ .code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm };
}

/* r2 = type, r3 = access, r4 = major, r5 = minor. */
static void allow(struct bpf_insn *p, size_t *n, const struct cgroup_device *d)
{
	size_t jumps[4], njumps = 0;
	int access = (d->read ? BPF_DEVCG_ACC_READ : 0) | (d->write ? BPF_DEVCG_ACC_WRITE : 0) | (d->mknod ? BPF_DEVCG_ACC_MKNOD : 0);

	if (d->type != 'a') {
		jumps[njumps++] = *n;
		add(p, n, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 0, d->type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK);
	}
	/* Every wanted kind of access must be allowed: (access & ~allowed) == 0. */
	add(p, n, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_3, 0, 0);
	add(p, n, BPF_ALU | BPF_AND | BPF_K, BPF_REG_1, 0, 0, ~access);
	jumps[njumps++] = *n;
	add(p, n, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_1, 0, 0, 0);
	if (d->major >= 0) {
		jumps[njumps++] = *n;
		add(p, n, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_4, 0, 0, (int32_t)d->major);
	}
	if (d->minor >= 0) {
		jumps[njumps++] = *n;
		add(p, n, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_5, 0, 0, (int32_t)d->minor);
	}
	add(p, n, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1);
	add(p, n, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (size_t i = 0; i < njumps; i++)
		p[jumps[i]].off = (int16_t)(*n - jumps[i] - 1);
}

int cgroup_bpf_devices(int dir, const struct cgroup_limits *l, struct err *e)
{
	struct bpf_insn prog[MAX_INSNS];
	union bpf_attr load = { 0 }, attach = { 0 };
	int real, fd, rc;
	size_t n = 0;

	if ((l->ndevices + cgroup_nstandard_devices + 2) * 9 > MAX_INSNS)
		return err_set(e, E2BIG, "%zu devices are too many", l->ndevices);
	add(prog, &n, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
	add(prog, &n, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
	add(prog, &n, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
	add(prog, &n, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
	add(prog, &n, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
	add(prog, &n, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_5, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
	for (size_t i = 0; i < cgroup_nstandard_devices; i++)
		allow(prog, &n, &cgroup_standard_devices[i]);
	for (size_t i = 0; i < l->ndevices; i++)
		allow(prog, &n, &l->devices[i]);
	add(prog, &n, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
	add(prog, &n, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);

	load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	load.insns = (uint64_t)(uintptr_t)prog;
	load.insn_cnt = (uint32_t)n;
	load.license = (uint64_t)(uintptr_t)"MIT";
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
	if (fd < 0)
		return err_sys(e, "load the device program");
	real = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	attach.target_fd = (uint32_t)real;
	attach.attach_bpf_fd = (uint32_t)fd;
	attach.attach_type = BPF_CGROUP_DEVICE;
	rc = real < 0 ? -1 : (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach);
	if (rc)
		err_sys(e, "attach the device program");
	if (real >= 0)
		close(real);
	close(fd);
	return rc;
}
