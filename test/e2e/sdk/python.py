"""python3-docker (Debian's) through its whole surface: every public method of it is called.
Each check says both sides; the first that does not hold ends it.

Usage: python.py REGISTRY-OR-EMPTY, in a directory of its own."""
import functools, io, os, sys, tarfile, threading, time

import docker
from docker import api, errors, models, types


def same(got, wanted, what):
    if got != wanted:
        sys.exit("%s: got %r, wanted %r" % (what, got, wanted))


def refused(kind, call, part):
    try:
        call()
    except kind as e:
        if part not in str(e):
            sys.exit("it said %s, without %r" % (e, part))
        return
    sys.exit("%r was not refused" % part)


def tar_of(name, data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        t.addfile(info, io.BytesIO(data))
    return out.getvalue()


# Every public method of the library must be called by this test: those that are go to `called`.
called, methods = set(), set()


def watch(cls):
    for name, f in list(vars(cls).items()):
        if callable(f) and not name.startswith("_") and not isinstance(f, (type, staticmethod, classmethod)):
            def wrapped(*args, f=f, key=cls.__name__ + "." + name, **kw):
                called.add(key)
                return f(*args, **kw)
            methods.add(cls.__name__ + "." + name)
            setattr(cls, name, functools.wraps(f)(wrapped))


for part in (models.containers, models.images, models.networks, models.volumes, models.plugins, models.swarm, models.services, models.nodes,
             models.secrets, models.configs, api.build, api.container, api.daemon, api.exec_api, api.image, api.network, api.volume, api.plugin,
             api.swarm, api.service, api.secret, api.config, docker.client):
    for cls in list(vars(part).values()):
        if isinstance(cls, type) and cls.__module__ == part.__name__:
            watch(cls)

def tar_file():
    with open("imported.tar", "wb") as f:
        f.write(tar_of("f", b"g"))
    return f.name


REGISTRY = sys.argv[1]
c = docker.from_env()
same(c.ping(), True, "ping")
same(c.version()["Os"], "linux", "version")
same(c.info()["Swarm"]["LocalNodeState"], "inactive", "info")
since = int(time.time()) - 1

# containers
same(c.containers.run("busybox", ["echo", "out"], remove=True), b"out\n", "run")
refused(errors.ContainerError, lambda: c.containers.run("busybox", ["sh", "-c", "echo bad >&2; exit 3"], remove=True), "bad")
refused(errors.ImageNotFound, lambda: c.containers.create("nosuch/image:1"), "nosuch")
refused(errors.NotFound, lambda: c.containers.get("nosuch"), "No such container")
a = c.containers.run("busybox", ["sh", "-c", "echo one; echo two >&2; exec sleep 1000"], name="sdk", detach=True, environment={"A": "b"},
                     labels={"of": "sdk"}, mem_limit="64m", cpu_shares=512, ports={"80/tcp": None}, hostname="inside", tmpfs={"/t": "size=1m"},
                     volumes={"sdkvol": {"bind": "/v", "mode": "rw"}}, ulimits=[types.Ulimit(name="nofile", soft=64, hard=64)],
                     restart_policy={"Name": "on-failure", "MaximumRetryCount": 2}, healthcheck={"test": ["CMD", "true"], "interval": 10**9})
same(a.status in ("created", "running"), True, "status")
a.reload()
same((a.name, a.status, a.labels["of"]), ("sdk", "running", "sdk"), "the container")
same(a.attrs["HostConfig"]["Memory"], 64 << 20, "memory")
same(len(a.ports["80/tcp"]) > 0, True, "ports")
same([x.name for x in c.containers.list(filters={"label": "of=sdk", "status": "running"})], ["sdk"], "list")
same(len(c.containers.list(all=True, limit=1)), 1, "limit")
while b"two" not in a.logs():
    time.sleep(0.05)
same(sorted(a.logs().split()), [b"one", b"two"], "logs")
same(a.logs(stdout=True, stderr=False), b"one\n", "logs of one")
same(a.logs(tail=2, stderr=False, timestamps=True).endswith(b"Z one\n"), True, "timestamps")
same(next(iter(a.logs(stream=True, follow=True, stderr=False))), b"one\n", "followed logs")
same(a.exec_run(["sh", "-c", "echo $A; exit 4"]), (4, b"b\n"), "exec")
same(a.exec_run(["sh", "-c", "echo x; echo y >&2"], demux=True).output, (b"x\n", b"y\n"), "exec in two")
same(b"".join(a.exec_run("echo s", stream=True).output), b"s\n", "exec as a stream")
same(a.exec_run("id -u", user="1000", workdir="/tmp", environment=["Q=1"]).output, b"1000\n", "exec as another user")
sock = a.exec_run("cat", stdin=True, socket=True).output
sock._sock.sendall(b"ping\n") if hasattr(sock, "_sock") else sock.sendall(b"ping\n")
same(sock.read(13)[8:], b"ping\n", "exec by a socket")
sock.close()
x = c.api.exec_create("sdk", ["true"])["Id"]
same(c.api.exec_inspect(x)["Running"], False, "exec inspect")
c.api.exec_start(x, detach=True)
same(a.put_archive("/tmp", tar_of("put", b"content")), True, "put_archive")
same(a.exec_run("cat /tmp/put").output, b"content", "what was put")
bits, stat = a.get_archive("/tmp/put")
same((stat["name"], stat["size"]), ("put", 7), "the stat of an archive")
same(tarfile.open(fileobj=io.BytesIO(b"".join(bits))).extractfile("put").read(), b"content", "get_archive")
refused(errors.NotFound, lambda: a.get_archive("/nosuch"), "nosuch")
same({d["Path"]: d["Kind"] for d in a.diff()}["/tmp/put"], 1, "diff")
same(a.top()["Titles"][-1] in ("CMD", "COMMAND"), True, "top")
same(a.stats(stream=False)["memory_stats"]["limit"] > 0, True, "stats")
same("cpu_stats" in next(a.stats(decode=True)), True, "a stream of stats")
a.pause()
a.reload()
same(a.status, "paused", "pause")
refused(errors.APIError, lambda: a.pause(), "already paused")
a.unpause()
same(a.update(mem_limit="128m", memswap_limit="256m"), {"Warnings": None}, "update")
a.rename("sdk2")
a.resize(24, 80)
e = c.containers.create("busybox", ["sh", "-c", "echo attached"])
attached = e.attach(stream=True)
e.start()
same(b"".join(attached), b"attached\n", "attach")
e.remove(force=True)
tar = b"".join(a.export())
same("tmp/put" in tarfile.open(fileobj=io.BytesIO(tar)).getnames(), True, "export")
made = a.commit(repository="sdk/made", tag="1", changes="ENV C=d", message="why", author="who")
same("C=d" in made.attrs["Config"]["Env"], True, "commit")
a.kill(signal="SIGKILL")
same(a.wait(condition="not-running")["StatusCode"], 137, "wait")
a.start()
a.restart(timeout=0)
a.stop(timeout=0)
refused(errors.APIError, lambda: a.kill(), "not running")
a.remove(v=True)
refused(errors.NotFound, lambda: a.reload(), "No such container")
same("SpaceReclaimed" in c.containers.prune(filters={"label": ["of=sdk"]}), True, "prune")

low = c.api
x = low.create_container("busybox", ["cat"], name="sdklow", ports=[80], stdin_open=True, host_config=low.create_host_config(port_bindings={80: None}),
                         networking_config=low.create_networking_config({"bridge": low.create_endpoint_config()}))["Id"]
a = c.containers.get(x)
sock = a.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
a.start()
sock._sock.sendall(b"typed\n") if hasattr(sock, "_sock") else sock.sendall(b"typed\n")
same(sock.read(14)[8:], b"typed\n", "attach by a socket")
sock.close()
same(int(low.port(x, 80)[0]["HostPort"]) > 0, True, "port")
y = low.exec_create(x, ["sh", "-c", "sleep 1; stty size"], tty=True)["Id"]
out = low.exec_start(y, tty=True, stream=True)
low.exec_resize(y, 33, 77)
same(b"".join(out), b"33 77\r\n", "exec_resize")
a.remove(force=True)

# images
i = c.images.get("sdk/made:1")
same(i.tags, ["sdk/made:1"], "tags")
same(i.tag("sdk/other", tag="2"), True, "tag")
same([x["RepoTags"] for x in c.api.images(name="sdk/other")], [["sdk/other:2"]], "the list by name")
same(len(i.history()) > 0, True, "history")
saved = b"".join(i.save(named=True))
c.images.remove("sdk/other:2")
c.images.remove("sdk/made:1", force=True)
refused(errors.ImageNotFound, lambda: c.images.get("sdk/made:1"), "No such image")
same([x.id for x in c.images.load(saved)], [i.id], "load")
built, lines = c.images.build(fileobj=io.BytesIO(b"FROM sdk/made:1\nRUN echo x >/x\nLABEL l=m\n"), tag="sdk/built", rm=True)
same(built.labels["l"], "m", "build")
refused(errors.BuildError, lambda: c.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN exit 5\n")), "returned a non-zero code: 5")
same("" != c.api.import_image_from_data(tar_of("f", b"g"), repository="sdk/imported"), True, "import")
for name in ("sdk/built", "sdk/made:1", "sdk/imported"):
    c.images.remove(name, force=True)
same(isinstance(c.images.prune(filters={"dangling": True})["SpaceReclaimed"], int), True, "image prune")
refused(errors.APIError, lambda: c.images.pull("127.0.0.1:9/no/such", tag="1"), "")

same("sdk/made:1" in [name for x in c.images.list(name="sdk/*") for name in x.tags], False, "images")
for call in (lambda: low.import_image(io.BytesIO(tar_of("f", b"g")), repository="sdk/imp", tag="1"),
             lambda: low.import_image_from_stream(iter([tar_of("f", b"g")]), repository="sdk/imp", tag="2"),
             lambda: low.import_image_from_file(tar_file(), repository="sdk/imp", tag="3")):
    same("sha256:" in call(), True, "import")
refused(errors.APIError, lambda: low.import_image_from_url("http://192.0.2.2/x.tar", repository="sdk/imp"), "not supported")
refused(errors.APIError, lambda: low.import_image_from_image("127.0.0.1:9/x", tag="1"), "127.0.0.1:9")
same(sorted(name for x in c.images.list(name="sdk/imp") for name in x.tags), ["sdk/imp:1", "sdk/imp:2", "sdk/imp:3"], "what was imported")
for x in "123":
    c.images.remove("sdk/imp:" + x)
same(isinstance(c.images.prune_builds()["SpaceReclaimed"], int), True, "prune of builds")

# registries
refused(errors.APIError, lambda: c.login("x", "y", registry="127.0.0.1:9", reauth=True), "127.0.0.1:9")
if REGISTRY:
    same(c.login("pusher", "secret", registry=REGISTRY, reauth=True)["Status"], "Login Succeeded", "login")
    refused(errors.APIError, lambda: c.images.search(REGISTRY + "/busybox"), "")
    name = REGISTRY + "/test/sdk"
    c.images.get("busybox").tag(name, "1")
    same('"Digest"' in c.images.push(name, tag="1"), True, "push")
    c.images.remove(name + ":1")
    data = c.images.get_registry_data(name + ":1")
    data.reload()
    same([data.has_platform("linux/amd64"), data.has_platform("linux/s390x")], [True, False], "platforms")
    same(data.pull().id, c.images.get("busybox").id, "pull of what is known of it")
    for x in c.images.get("busybox").tags + c.images.get("busybox").attrs["RepoDigests"]:
        if x.startswith(name):
            c.images.remove(x)
    refused(errors.NotFound, lambda: c.images.pull(REGISTRY + "/test/nosuch", tag="1"), "not found")
    refused(errors.NotFound, lambda: c.images.get_registry_data(REGISTRY + "/test/nosuch:1"), "not found")

# networks and volumes
n = c.networks.create("sdknet", driver="bridge", labels={"of": "sdk"}, internal=True,
                      ipam=types.IPAMConfig(pool_configs=[types.IPAMPool(subnet="10.66.0.0/24", gateway="10.66.0.1")]))
b = c.containers.create("busybox", ["sleep", "1000"], name="sdkb")
n.connect(b, ipv4_address="10.66.0.66", aliases=["alias"])
b.start()
n.reload()
same([x.name for x in n.containers], ["sdkb"], "containers of a network")
same(n.attrs["Containers"][b.id]["IPv4Address"], "10.66.0.66/24", "the address")
n.disconnect(b, force=True)
b.remove(force=True)
same([x.name for x in c.networks.list(names=["sdknet"], filters={"label": "of=sdk"})], ["sdknet"], "networks")
n.remove()
refused(errors.NotFound, lambda: c.networks.get("sdknet"), "not found")
same(c.networks.prune()["NetworksDeleted"] in (None, []), True, "network prune")
v = c.volumes.create("sdkvol2", labels={"of": "sdk"})
same((v.name, c.volumes.get("sdkvol2").attrs["Labels"]), ("sdkvol2", {"of": "sdk"}), "volume")
same([x.name for x in c.volumes.list(filters={"label": "of=sdk"})], ["sdkvol2"], "volumes")
v.remove()
c.volumes.get("sdkvol").remove(force=True)
refused(errors.NotFound, lambda: c.volumes.get("sdkvol"), "no such volume")
same(isinstance(c.volumes.prune()["SpaceReclaimed"], int), True, "volume prune")

# the rest
same(sorted(k for k in c.df() if k in ("Containers", "Images", "Volumes", "LayersSize")), ["Containers", "Images", "LayersSize", "Volumes"], "df")
events = list(c.events(since=since, until=int(time.time()) + 1, decode=True, filters={"type": ["container", "network", "image"]}))
seen = ["%s %s" % (e["Type"], e["Action"]) for e in events]
for wanted in ("container create", "container start", "container die", "container rename", "container commit", "network create",
               "network connect", "image tag", "image untag"):
    same(wanted in seen, True, wanted)
same([e["timeNano"] for e in events], sorted(e["timeNano"] for e in events), "the order of events")
live = c.events(decode=True, filters={"event": "create"})
threading.Timer(0.3, lambda: docker.from_env().containers.create("busybox", name="sdkevent")).start()
same(next(live)["Actor"]["Attributes"]["name"], "sdkevent", "an event as it comes")
live.close()
c.containers.get("sdkevent").remove()
refused(errors.APIError, lambda: c.swarm.init(), "swarm mode is not supported")
refused(errors.APIError, lambda: c.services.list(), "not a swarm manager")
same(c.plugins.list(), [], "plugins")
of = lambda kind: kind(attrs={"ID": "x", "Id": "x", "Name": "x", "Version": {"Index": 1}, "Spec": {"Name": "x", "Mode": {"Replicated": {}}, "TaskTemplate": {"ContainerSpec": {"Image": "x"}}}},
                       client=c, collection=None)
node, service, secret, config = of(models.nodes.Node), of(models.services.Service), of(models.secrets.Secret), of(models.configs.Config)
for call in (lambda: config.remove(), lambda: c.configs.create(name="x", data=b"y"), lambda: c.configs.get("x"), lambda: c.configs.list(),
             lambda: secret.remove(), lambda: c.secrets.create(name="x", data=b"y"), lambda: c.secrets.get("x"), lambda: c.secrets.list(),
             lambda: node.remove(), lambda: node.update({}), lambda: c.nodes.get("x"), lambda: c.nodes.list(),
             lambda: service.force_update(), lambda: service.logs(stdout=True), lambda: service.remove(), lambda: service.scale(2), lambda: service.tasks(),
             lambda: service.update(), lambda: c.services.create("busybox"), lambda: c.services.get("x"), lambda: low.inspect_task("x"),
             lambda: low.update_service("x", 1), lambda: low.tasks(), lambda: c.swarm.get_unlock_key(), lambda: low.update_swarm(1), lambda: c.swarm.reload()):
    refused(errors.APIError, call, "not a swarm manager")
swarm = c.swarm
swarm.attrs = {"Version": {"Index": 1}}
refused(errors.APIError, lambda: swarm.update(), "not a swarm manager")
refused(errors.APIError, lambda: c.swarm.join(["127.0.0.1"], "x"), "swarm mode is not supported")
for call in (lambda: c.swarm.leave(), lambda: c.swarm.unlock("x")):
    refused(errors.APIError, call, "not part of a swarm")
plugin = of(models.plugins.Plugin)
for call in (lambda: plugin.configure({}), lambda: plugin.disable(), lambda: plugin.enable(), lambda: plugin.remove(),
             lambda: c.plugins.get("x"), lambda: list(low.upgrade_plugin("x", "x", []))):
    refused(errors.NotFound, call, 'plugin "x" not found')
refused(errors.APIError, lambda: plugin.push(), "not allowed")    # the library asks for /pull
os.makedirs("plugin/rootfs")
open("plugin/config.json", "w").close()
for call in (lambda: c.plugins.create("x", "plugin"), lambda: c.plugins.install("x"), lambda: list(low.pull_plugin("x", [])), lambda: list(plugin.upgrade())):
    refused(errors.APIError, call, "plugins are not supported")
c.close()
missing = sorted(methods - called)
if missing:
    sys.exit("not called: " + " ".join(missing))
