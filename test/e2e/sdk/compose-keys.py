"""Files of docker-compose 1.29.2: every key that a service may have, of the client's own schema. One that is honoured is looked at in
`docker inspect`, one that is refused must be named. A key of the schema without a row here is a failure.

Usage: compose-keys.py, in a directory of its own, with the certificate of an account; compose-keys.py operator: what only operators may."""
import json, os, sys

import compose.config as config
from compose_client import *

OPERATOR = sys.argv[1:] == ["operator"]
PROJECT = os.path.basename(os.getcwd())
NET = PROJECT + "-net"

# Service: key: value in the file, then where it is found and what is there (a function: is it right?). "=": the value itself.
HONOURED = {
    "a": {
        "image": ("busybox", "Config.Image", "="),
        "container_name": (PROJECT + "-named", "Name", "/" + PROJECT + "-named"),
        "entrypoint": (["sleep"], "Config.Entrypoint", "="),
        "command": (["1000"], "Config.Cmd", "="),
        "blkio_config": ({"weight": 300}, "HostConfig.BlkioWeight", 300),
        "cap_add": (["CHOWN"], "HostConfig.CapAdd", lambda v: [c.replace("CAP_", "") for c in v] == ["CHOWN"]),
        "cap_drop": (["ALL"], "HostConfig.CapDrop", "="),
        "cpu_shares": (512, "HostConfig.CpuShares", "="),
        "cpus": (0.5, "HostConfig.NanoCpus", 500000000),
        "cpuset": ("0", "HostConfig.CpusetCpus", "="),
        "depends_on": ({"b": {"condition": "service_started"}}, "Created", lambda at: at > one("b").attrs["Created"]),
        "dns": (["10.9.9.9"], "HostConfig.Dns", "="),
        "dns_opt": (["ndots:3"], "HostConfig.DnsOptions", "="),
        "dns_search": (["example.test"], "HostConfig.DnsSearch", "="),
        "domainname": ("example.test", "Config.Domainname", "="),
        "hostname": ("host-a", "Config.Hostname", "="),
        "env_file": (["a.env"], "Config.Env", lambda v: "OF=file" in v),
        "environment": ({"E": "${FROM_SHELL:-default}"}, "Config.Env", lambda v: "E=default" in v),
        "expose": (["8081"], "Config.ExposedPorts", lambda v: "8081/tcp" in v),
        "extra_hosts": (["other:10.9.9.8"], "HostConfig.ExtraHosts", "="),
        "group_add": (["44"], "HostConfig.GroupAdd", "="),
        "healthcheck": ({"test": ["CMD", "true"], "interval": "7s", "timeout": "3s", "retries": 4, "start_period": "2s"}, "Config.Healthcheck",
                        lambda v: [v["Test"], v["Interval"], v["Timeout"], v["Retries"], v["StartPeriod"]] == [["CMD", "true"], 7 * 10**9, 3 * 10**9, 4, 2 * 10**9]),
        "init": (True, "HostConfig.Init", True),
        "ipc": ("shareable", "HostConfig.IpcMode", "="),
        "isolation": ("default", "HostConfig.Isolation", lambda v: v in ("", "default")),
        "labels": ({"l": "1"}, "Config.Labels", lambda v: v["l"] == "1"),
        "links": (["b:bee"], "NetworkSettings.Networks.%s.Links" % NET, lambda v: any(x.endswith(":bee") for x in v)),
        "external_links": ([PROJECT + "-outside:out"], "NetworkSettings.Networks.%s.Links" % NET, lambda v: PROJECT + "-outside:out" in v),
        "logging": ({"driver": "json-file", "options": {"max-size": "1m"}}, "HostConfig.LogConfig", {"Type": "json-file", "Config": {"max-size": "1m"}}),
        "mem_limit": ("64m", "HostConfig.Memory", 64 << 20),
        "mem_reservation": ("32m", "HostConfig.MemoryReservation", 32 << 20),
        "memswap_limit": ("128m", "HostConfig.MemorySwap", 128 << 20),
        "networks": ({"default": {"aliases": ["alias-a"], "ipv4_address": "10.88.7.20"}, "two": {}}, "NetworkSettings.Networks",
                     lambda v: sorted(v) == [NET, PROJECT + "_two"] and v[NET]["IPAddress"] == "10.88.7.20" and "alias-a" in v[NET]["Aliases"]),
        "oom_score_adj": (100, "HostConfig.OomScoreAdj", "="),
        "pids_limit": (50, "HostConfig.PidsLimit", "="),
        "platform": ("linux/amd64", "Platform", "linux"),
        "ports": (["80", "70/udp"], "NetworkSettings.Ports", lambda v: v["80/tcp"] and v["70/udp"]),
        "read_only": (True, "HostConfig.ReadonlyRootfs", True),
        "restart": ("on-failure:3", "HostConfig.RestartPolicy", {"Name": "on-failure", "MaximumRetryCount": 3}),
        "runtime": ("runc", "HostConfig.Runtime", "="),
        "security_opt": (["no-new-privileges"], "HostConfig.SecurityOpt", "="),
        "shm_size": ("1m", "HostConfig.ShmSize", 1 << 20),
        "stdin_open": (True, "Config.OpenStdin", True),
        "stop_grace_period": ("0s", "Config.StopTimeout", 0),
        "stop_signal": ("SIGINT", "Config.StopSignal", "="),
        "sysctls": ({"net.ipv4.ip_unprivileged_port_start": "81"}, "HostConfig.Sysctls", "="),
        "tmpfs": (["/run/t:size=1m"], "HostConfig.Tmpfs", {"/run/t": "size=1m"}),
        "tty": (True, "Config.Tty", True),
        "ulimits": ({"nofile": {"soft": 100, "hard": 200}}, "HostConfig.Ulimits", [{"Name": "nofile", "Soft": 100, "Hard": 200}]),
        "user": ("1:1", "Config.User", "="),
        "volumes": (["data:/data:ro", "/anon"], "Mounts",
                    lambda v: sorted((m["Destination"], m["RW"]) for m in v if m["Destination"] in ("/data", "/anon")) == [("/anon", True), ("/data", False)]),
        "volumes_from": (["b:ro"], "Mounts", lambda v: [m["RW"] for m in v if m["Destination"] == "/of-b"] == [False]),
        "working_dir": ("/tmp", "Config.WorkingDir", "="),
    },
    "b": {
        "extends": ({"file": "base.yml", "service": "base"}, "Config.Cmd", ["sleep", "1001"]),
        "cpu_period": (50000, "HostConfig.CpuPeriod", "="),
        "cpu_quota": (25000, "HostConfig.CpuQuota", "="),
        "volumes": (["shared:/of-b"], "Mounts", lambda v: [m["Name"] for m in v] == [PROJECT + "-outside"]),
    },
    "c": {
        "build": ({"context": ".", "dockerfile": "Made", "target": "second", "args": {"A": "of-file"}, "labels": {"built": "yes"}, "cache_from": ["busybox"],
                   "network": "none", "shm_size": "2m", "extra_hosts": ["there:10.9.9.7"], "isolation": "default"},
                  "Config.Labels", lambda v: v["built"] == "yes" and v["arg"] == "of-file"),
        "network_mode": ("none", "HostConfig.NetworkMode", "="),
        "scale": (2, "Config.Labels", lambda v: len(those("c")) == 2),
        "deploy": ({"resources": {"limits": {"memory": "48M"}}}, "HostConfig.Memory", 48 << 20),
        "pull_policy": ("never", "Config.Image", lambda v: v == PROJECT + "_c"),    # 1.29.2 reads and does not use it
        "stop_grace_period": ("0s", "Config.StopTimeout", 0),
    },
    "d": {"image": ("busybox", "Id", lambda v: False), "profiles": (["never"], "Id", lambda v: False)},
}
NOT_THERE = ["d"]

# Key: value, and the sentence. Those of OPERATORS are honoured for operators: where it is found and what is there.
REFUSED = {
    "cgroup_parent": ("/x", "--cgroup-parent is not supported"),
    "cpu_count": (1, "CpuCount"),
    "cpu_percent": (10, "CpuPercent"),
    "storage_opt": ({"nosuch": "1"}, "nosuch"),
}
OPERATORS = {
    "cpu_rt_period": (1000000, "--cpu-rt-runtime", None, None),
    "cpu_rt_runtime": (1000, "--cpu-rt-runtime", None, None),
    "device_cgroup_rules": (["b 7:* r"], "--device-cgroup-rule", "HostConfig.DeviceCgroupRules", "="),
    "devices": (["/dev/null:/dev/nil:r"], "--device", "HostConfig.Devices", [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nil", "CgroupPermissions": "r"}]),
    "mem_swappiness": (10, None, "HostConfig.MemorySwappiness", "="),
    "oom_kill_disable": (True, None, "HostConfig.OomKillDisable", True),
    "pid": ("host", "--pid", "HostConfig.PidMode", "="),
    "privileged": (True, "--privileged", "HostConfig.Privileged", True),
    "secrets": (["s"], "bind", "Mounts", lambda v: [m["Destination"] for m in v] == ["/run/secrets/s"]),
    "userns_mode": ("host", "--userns", "HostConfig.UsernsMode", "="),
}
# What does not come as far as the engine: 1.29.2 says itself that it does not support configs of files, stumbles over a credential_spec, and
# connects a container anew, without its mac_address.
CLIENTS = {"configs", "credential_spec", "mac_address"}


def those(service):
    return d.containers.list(all=True, filters={"label": ["com.docker.compose.project=" + PROJECT, "com.docker.compose.service=" + service]})


def one(service):
    return those(service)[0]


def at(attrs, path):
    for part in path.split("."):
        attrs = attrs[part]
    return attrs


def check(attrs, key, value, path, wanted):
    got = at(attrs, path)
    if not (wanted(got) if callable(wanted) else got == (value if wanted == "=" else wanted)):
        sys.exit("%s: %s of docker inspect is %r" % (key, path, got))


def write(name, services, **more):
    with open(name, "w") as f:
        json.dump(dict({"services": services}, **more), f)


def every_key_has_a_row():
    with open(os.path.join(os.path.dirname(config.__file__), "compose_spec.json")) as f:
        keys = set(json.load(f)["definitions"]["service"]["properties"])
    rows = set(REFUSED) | set(OPERATORS) | CLIENTS | {k for s in HONOURED.values() for k in s}
    same(len(keys) > 70, True, "keys of the schema")
    same(sorted(keys - rows), [], "keys without a row")


def files():
    write("base.yml", {"base": {"image": "busybox", "command": "sleep 1001", "stop_grace_period": "0s"}})
    with open("a.env", "w") as f:
        f.write("OF=file\n")
    with open("Made", "w") as f:
        f.write("FROM busybox AS first\nARG A\nLABEL arg=$A\nCMD sleep 1000\nFROM first AS second\nFROM busybox\nRUN false\n")
    with open("secret", "w") as f:
        f.write("hidden\n")


def honoured():
    net = d.networks.create(NET, ipam=docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet="10.88.7.0/24")]))
    outside = d.containers.run("busybox", "sleep 1000", name=PROJECT + "-outside", network=NET, detach=True)
    volume = d.volumes.create(PROJECT + "-outside")
    write("docker-compose.yml", {s: {k: row[0] for k, row in keys.items()} for s, keys in HONOURED.items()},
          networks={"default": {"external": True, "name": NET}, "two": {"internal": True, "labels": {"n": "1"}, "ipam": {"config": [{"subnet": "10.88.8.0/24"}]}}},
          volumes={"data": {"labels": {"v": "1"}}, "shared": {"external": True, "name": volume.name}})
    compose("up -d")
    for service, keys in HONOURED.items():
        if service in NOT_THERE:
            same(those(service), [], "containers of a profile that was not asked for")
            continue
        attrs = one(service).attrs
        for key, (value, path, wanted) in keys.items():
            check(attrs, key, value, path, wanted)
    two = d.networks.get(PROJECT + "_two").attrs
    same([two["Internal"], two["Labels"]["n"], two["IPAM"]["Config"][0]["Subnet"]], [True, "1", "10.88.8.0/24"], "networks")
    same(d.volumes.get(PROJECT + "_data").attrs["Labels"]["v"], "1", "volumes")
    compose("down -v --rmi local")
    outside.remove(force=True)
    net.remove()                                      # external: they have stayed
    volume.remove()


def refused():
    rows = dict(REFUSED, **{k: row[:2] for k, row in OPERATORS.items() if row[1]})
    for key, (value, sentence) in rows.items():
        write(key + ".yml", {"r": {"image": "busybox", "network_mode": "none", key: value}}, secrets={"s": {"file": "./secret"}})
        has(compose("-f %s.yml up --no-start" % key, 1), sentence, key)


def operators():
    rows = {k: row for k, row in OPERATORS.items() if row[2]}
    write("docker-compose.yml", {k.replace("_", "-"): {"image": "busybox", "network_mode": "none", k: row[0]} for k, row in rows.items()},
          secrets={"s": {"file": "./secret"}})
    compose("up --no-start")
    for key, (value, _, path, wanted) in rows.items():
        check(one(key.replace("_", "-")).attrs, key, value, path, wanted)
    compose("down -v")


files()
if OPERATOR:
    operators()
else:
    every_key_has_a_row()
    honoured()
    refused()
