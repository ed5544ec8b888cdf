/* Who may ask for what: each power over the machine is an operator's, and its refusal names it. */
#include "docker/create.h"

#include "unit/test.h"

#include <errno.h>

static struct arena arena;
static struct err err;

static int check(const char *host, bool operator_)
{
	struct create_request q;

	REQUIRE_OK(create_decode(&arena, arena_printf(&arena, "{\"Image\":\"x\",\"HostConfig\":{%s}}", host), &q, &err), err);
	return create_check(&q, operator_, 2, &err);
}

TEST(powers_over_the_machine_are_for_operators)
{
	static const struct { const char *host, *named; } powers[] = {
		{ "\"Privileged\":true", "--privileged" }, { "\"NetworkMode\":\"host\"", "--network=host" }, { "\"PidMode\":\"host\"", "--pid" },
		{ "\"IpcMode\":\"host\"", "--ipc" }, { "\"UTSMode\":\"host\"", "--uts" }, { "\"UsernsMode\":\"host\"", "--userns" },
		{ "\"CgroupnsMode\":\"host\"", "--cgroupns" }, { "\"Binds\":[\"/:/h\"]", "-v with a host path" },
		{ "\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/\",\"Target\":\"/h\"}]", "--mount type=bind" },
		{ "\"Devices\":[{\"PathOnHost\":\"/dev/sda\",\"PathInContainer\":\"/dev/sda\",\"CgroupPermissions\":\"rwm\"}]", "--device" },
		{ "\"DeviceCgroupRules\":[\"c 1:3 rwm\"]", "--device-cgroup-rule" }, { "\"CapAdd\":[\"SYS_ADMIN\"]", "--cap-add" },
		{ "\"CapAdd\":[\"ALL\"]", "--cap-add" }, { "\"SecurityOpt\":[\"seccomp=unconfined\"]", "seccomp=unconfined" },
		{ "\"SecurityOpt\":[\"seccomp:unconfined\"]", "seccomp=unconfined" }, { "\"SecurityOpt\":[\"systempaths=unconfined\"]", "systempaths" },
		{ "\"MaskedPaths\":[]", "MaskedPaths" }, { "\"ReadonlyPaths\":[]", "ReadonlyPaths" }, { "\"OomScoreAdj\":-1", "--oom-score-adj" },
		{ "\"CpuRealtimeRuntime\":1000", "--cpu-rt-runtime" }, { "\"Ulimits\":[{\"Name\":\"rtprio\",\"Soft\":1,\"Hard\":1}]", "--ulimit rtprio" },
	};

	for (size_t i = 0; i < sizeof powers / sizeof *powers; i++) {
		if (check(powers[i].host, false) != -1 || err.code != EPERM || !strstr(err.msg, powers[i].named))
			test_failed(__FILE__, __LINE__, "%s: %d %s", powers[i].host, err.code, err.msg);
		if (check(powers[i].host, true))
			test_failed(__FILE__, __LINE__, "%s for an operator: %s", powers[i].host, err.msg);
	}
}

TEST(what_everybody_may)
{
	static const char *const fine[] = {
		"", "\"IpcMode\":\"none\"", "\"IpcMode\":\"container:x\",\"PidMode\":\"container:x\"", "\"CapDrop\":[\"ALL\"],\"CapAdd\":[\"CAP_CHOWN\"]",
		"\"MaskedPaths\":null", "\"OomScoreAdj\":500", "\"CpusetCpus\":\"0-1\"", "\"CpusetCpus\":\"0,1\"", "\"MemorySwappiness\":0", "\"OomKillDisable\":true",
		"\"Sysctls\":{\"net.core.somaxconn\":\"9\",\"kernel.sem\":\"1 2 3 4\"}", "\"KernelMemory\":1",
		"\"BlkioDeviceReadBps\":[{\"Path\":\"/dev/sda\",\"Rate\":5}],\"BlkioWeightDevice\":[]", "\"Ulimits\":[{\"Name\":\"rtprio\",\"Soft\":0,\"Hard\":0}]",
		"\"SecurityOpt\":[\"no-new-privileges\",\"label=disable\",\"apparmor=unconfined\"]", "\"DeviceRequests\":[]",
	};

	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
		if (check(fine[i], false))
			test_failed(__FILE__, __LINE__, "%s: %s", fine[i], err.msg);
}

TEST(a_log_has_an_end)
{
	CHECK_INT(check("\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"512m\",\"max-file\":\"2\"}}", false), 0);
	CHECK_INT(check("\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-file\":\"1000\"}}", false), 0);
	CHECK_INT(check("\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"512m\",\"max-file\":\"3\"}}", true), -1);
	CHECK(err.code == EINVAL && strstr(err.msg, "max-size times max-file"));
}

TEST(nonsense_is_named)
{
	static const struct { const char *host; int code; const char *part; } bad[] = {
		{ "\"IpcMode\":\"own\"", EINVAL, "--ipc: invalid IPC mode" }, { "\"UTSMode\":\"container:x\"", EINVAL, "--uts" },
		{ "\"PidMode\":\"container:\"", EINVAL, "--pid" }, { "\"CpusetCpus\":\"0-2\"", EINVAL, "Requested CPUs are not available" },
		{ "\"CpusetCpus\":\"1-0\"", EINVAL, "Invalid value" }, { "\"CpusetMems\":\"x\"", EINVAL, "Invalid value x for cpuset mems" },
		{ "\"MemorySwappiness\":101", EINVAL, "0-100" }, { "\"BlkioWeight\":9", EINVAL, "10 to 1000" },
		{ "\"BlkioDeviceReadIOps\":[{\"Path\":\"/etc/x\",\"Rate\":5}]", EINVAL, "--device-read-iops" },
		{ "\"BlkioWeightDevice\":[{\"Path\":\"/dev/x\",\"Weight\":5}]", EINVAL, "--blkio-weight-device" },
		{ "\"Sysctls\":{\"kernel.hostname\":\"x\"}", EINVAL, "kernel.hostname" }, { "\"Sysctls\":{\"net/../kernel.x\":\"x\"}", EINVAL, "not allowed" },
		{ "\"IpcMode\":\"container:x\",\"Sysctls\":{\"kernel.sem\":\"1\"}", EINVAL, "kernel.sem" },
		{ "\"DeviceRequests\":[{\"Driver\":\"\",\"Capabilities\":[[\"gpu\",\"compute\"]]}]", EINVAL,
		  "could not select device driver \"\" with capabilities: [[gpu compute]]" },
		{ "\"SecurityOpt\":[\"apparmor=x\"]", ENOTSUP, "apparmor=x" }, { "\"SecurityOpt\":[\"writable-cgroups=true\"]", ENOTSUP, "writable-cgroups" },
		{ "\"CgroupParent\":\"/x\"", ENOTSUP, "--cgroup-parent" }, { "\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":-1,\"Hard\":5}]", EINVAL, "ulimit" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (check(bad[i].host, false) != -1 || err.code != bad[i].code || !strstr(err.msg, bad[i].part))
			test_failed(__FILE__, __LINE__, "%s: %d %s", bad[i].host, err.code, err.msg);
	CHECK_INT(check("\"DeviceCgroupRules\":[\"x 1:3 rwm\"]", true), -1);
	CHECK_INT(check("\"DeviceCgroupRules\":[\"c 1:3 rwx\"]", true), -1);
	CHECK_INT(check("\"DeviceCgroupRules\":[\"c 1:-3 r\"]", true), -1);
	CHECK_INT(check("\"Devices\":[{\"PathOnHost\":\"dev\",\"PathInContainer\":\"/x\",\"CgroupPermissions\":\"r\"}]", true), -1);
	CHECK_INT(check("\"CpuRealtimePeriod\":10,\"CpuRealtimeRuntime\":20", true), -1);
}

TEST(what_update_cannot_change)
{
	struct host_config h = { 0 };

	h.cpu_shares = 5;
	CHECK_OK(update_check(&h, false, 2, &err), err);
	h.oom_kill_disable.json = STR("true");
	CHECK_INT(update_check(&h, true, 2, &err), -1);
	CHECK(strstr(err.msg, "--oom-kill-disable"));
	h = (struct host_config){ .cpu_rt_runtime = 5 };
	CHECK_INT(update_check(&h, false, 2, &err), -1);
	CHECK_INT(err.code, EPERM);
}

TEST(names_are_words_and_addresses_are_addresses)
{
	static const char *const bad[] = { "\"ExtraHosts\":[\"x:1.2.3.4\\n6.6.6.6 evil\"]", "\"ExtraHosts\":[\"x y:1.2.3.4\"]",
		"\"ExtraHosts\":[\"x\"]", "\"ExtraHosts\":[\":1.2.3.4\"]", "\"Dns\":[\"dns.example.org\"]", "\"Dns\":[\"1.2.3.4\\n\"]",
		"\"DnsOptions\":[\"ndots:1\\nnameserver 6.6.6.6\"]", "\"DnsSearch\":[\"a b\"]", "\"DnsSearch\":[\"\"]" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (check(bad[i], true) != -1 || err.code != EINVAL)
			test_failed(__FILE__, __LINE__, "%s was accepted", bad[i]);
	CHECK_OK(check("\"ExtraHosts\":[\"db:10.1.2.3\",\"h:host-gateway\",\"six:fd00::1\"],\"Dns\":[\"9.9.9.9\"],\"DnsSearch\":[\"example.org\"],"
		       "\"DnsOptions\":[\"ndots:3\"]", false), err);
}
