"""docker-compose 1.29.2: every command with every option. Each call is checked by what it printed and what it did; at the end, an option
of `docker-compose help COMMAND` that no call had is a failure.

Usage: compose-cli.py REGISTRY-OR-EMPTY, in a directory of its own."""
import os, re, signal, sys, time

from compose_client import *

REGISTRY = sys.argv[1]


def those(service=None, all=True, project="opts", **more):
    labels = ["com.docker.compose.project=" + project] + (["com.docker.compose.service=" + service] if service else [])
    return d.containers.list(all=all, filters=dict({"label": labels}, **more))


def one(service):
    c = [x for x in those(service) if x.labels["com.docker.compose.oneoff"] == "False"]
    same(len(c), 1, "containers of " + service)
    return c[0]


def options_of(text):
    """[(names, has a value)]"""
    found = []
    for line in text.partition("Options:")[2].splitlines():
        m = re.match(r" {2,8}(-[\w-]+)(?:, (--[\w-]+))?((?:=| )\S+)?(?: |$)", line)
        if m:
            names = [n for n in m.groups()[:2] if n]
            found.append((names, bool(m.group(3)) and not m.group(3).strip().startswith("(default")))
    return found


def help_texts():
    texts = {"": compose("--help")}
    for command in re.findall(r"(?m)^  ([a-z]+) ", texts[""].partition("Commands:")[2]):
        texts[command] = compose("help " + command)
    return {c: options_of(t) for c, t in texts.items()}


FILE = """
version: "3.7"
services:
  dep: { image: busybox, command: sleep 1000, stop_grace_period: 0s }
  web:
    image: busybox
    command: sh -c 'echo serving; exec httpd -f -p 80'
    stop_grace_period: 0s
    depends_on: [ dep ]
    ports: [ "80", "70/udp" ]
    volumes: [ /anon, "data:/data" ]
    environment: { V: "${V:-unset}" }
    networks: { default: { aliases: [ webalias ] } }
  job:
    image: busybox
    command: sh -c 'echo begun; sleep 0.3; exit 3'
    profiles: [ jobs ]
  made:
    image: opts/made:1
    build: { context: ., args: { A: file } }
    command: sleep 1000
    stop_grace_period: 0s
    profiles: [ build ]
volumes: { data: {} }
"""


def files():
    for name, text in (("docker-compose.yml", FILE), ("Dockerfile", "FROM busybox\nARG A\nRUN echo $A >/a\n"), ("other.env", "V=other\n"),
                       ("second.yml", 'version: "3.7"\nservices:\n  only: { image: busybox, command: sleep 1000, stop_grace_period: 0s }\n'),
                       ("third.yml", 'version: "3.7"\nservices:\n  a: { image: "opts/made:1" }\n  b: { build: . }\n'),
                       ("compat.yml", 'version: "3.7"\nservices:\n  c: { image: busybox, command: sleep 1000, stop_grace_period: 0s, '
                        'deploy: { replicas: 2, resources: { limits: { memory: 64M, cpus: "0.25" } }, restart_policy: { condition: on-failure, max_attempts: 4 } } }\n')):
        with open(name, "w") as f:
            f.write(text)


def the_client():
    same(compose("version --short").strip(), "1.29.2", "version")
    has(compose("version"), "docker-py version", "version")
    has(compose("-v"), "1.29.2", "-v")
    has(compose("config --services"), "web", "config")
    same(sorted(compose("--profile build --profile jobs config --services").split()), ["dep", "job", "made", "web"], "profiles on")
    same(sorted(compose("config --profiles").split()), ["build", "jobs"], "--profiles")
    same(compose("config --volumes"), "data\n", "--volumes")
    same(compose("config -q"), "", "-q")
    has(compose("config --no-interpolate"), "${V:-unset}", "--no-interpolate")
    has(compose("--env-file other.env config"), "V: other", "--env-file")
    has(compose("config --hash=web"), "web ", "--hash")
    has(compose("-f second.yml config --services"), "only", "-f")
    has(compose("-f nosuch.yml config", 1), "nosuch.yml", "no file")
    has(compose("--project-directory / -f docker-compose.yml config --services"), "web", "--project-directory")
    has(compose("--verbose ps"), "", "--verbose")
    has(compose("--log-level DEBUG ps"), "Name", "--log-level")
    certs, host = os.environ["DOCKER_CERT_PATH"], os.environ["DOCKER_HOST"]
    tls = "--tls --tlsverify --tlscacert %s/ca.pem --tlscert %s/cert.pem --tlskey %s/key.pem" % (certs, certs, certs)
    has(compose("-H %s %s ps" % (host, tls), DOCKER_HOST="tcp://127.0.0.1:9"), "Name", "-H")
    has(compose("-H %s %s --skip-hostname-check ps" % (host, tls)), "Name", "--skip-hostname-check")
    has(compose("-c nosuch ps", 1), "nosuch", "-c")


def up_and_its_options():
    compose("--ansi never up -d --no-deps --quiet-pull web")
    same([len(those("web")), len(those("dep"))], [1, 0], "up --no-deps")
    first = one("web").id
    compose("--no-ansi up -d")
    same([one("web").id, len(those("dep"))], [first, 1], "up of the same")
    compose("up -d --no-recreate", V="new")
    same(one("web").id, first, "up --no-recreate")
    compose("up -d -t 0", V="new")
    web, dep = one("web"), one("dep").id
    same([web.id != first, web.exec_run(["sh", "-c", "echo $V"]).output], [True, b"new\n"], "up with something new")
    anon = lambda: [m["Name"] for m in one("web").attrs["Mounts"] if m["Destination"] == "/anon"]
    kept = anon()
    compose("up -d --force-recreate --no-deps web", V="new")
    same([one("web").id != web.id, one("dep").id, anon()], [True, dep, kept], "up --force-recreate keeps volumes and the others")
    compose("up -d --force-recreate -V --always-recreate-deps web", V="new")
    same([one("dep").id != dep, anon() != kept], [True, True], "up -V --always-recreate-deps")
    compose("up -d --scale web=2", V="new")
    same(len(those("web")), 2, "up --scale")
    compose("scale -t 0 web=1")
    same(len(those("web")), 1, "scale")
    said = compose("--profile jobs up --no-color --no-log-prefix --abort-on-container-exit job", 3)
    has(said, "begun", "up in the foreground")
    same(("job_1" in [l for l in said.splitlines() if "begun" in l][0]), False, "--no-log-prefix")
    said = compose("--profile jobs up --no-color -t 0 --attach-dependencies --exit-code-from job job", 3)
    has(said, "job_1   | begun", "--exit-code-from")
    compose("--profile jobs rm -f job")
    compose("--profile build up --no-start --no-build made", 1)
    compose("--profile build up --no-start --build made")
    same(one("made").status, "created", "up --no-start --build")
    compose("-f second.yml -p opts up -d --remove-orphans")
    same(sorted(c.labels["com.docker.compose.service"] for c in those()), ["only"], "up --remove-orphans")
    compose("-f second.yml -p opts down --remove-orphans -t 0")
    same(len(those()), 0, "down")


def create_build_and_images():
    has(compose("--profile build build --no-cache --force-rm --compress -m 64m --build-arg A=given made"), "Successfully tagged opts/made:1", "build")
    same(d.containers.run("opts/made:1", "cat /a", remove=True), b"given\n", "--build-arg")
    same(compose("--profile build build -q --parallel --no-rm --build-arg A=given made"), "", "build -q")
    same(d.containers.run("opts/made:1", "cat /a", remove=True), b"given\n", "what was built")
    has(compose("--profile build build --progress plain made", COMPOSE_DOCKER_CLI_BUILD="0"), "Successfully built", "build by docker-py")
    same(d.containers.run("opts/made:1", "cat /a", remove=True), b"file\n", "args of the file")
    compose("up --no-start")                          # `create` makes no network
    compose("create --no-build")
    first = one("web").id
    compose("create --no-recreate")
    same(one("web").id, first, "create --no-recreate")
    compose("--profile build create --force-recreate --build")
    same(one("web").id != first, True, "create --force-recreate")
    has(compose("--profile build images"), "opts/made", "images")
    has(compose("--profile build images -q made"), d.images.get("opts/made:1").id.split(":")[1][:12], "images -q")


def life():
    compose("start")
    web = one("web")
    same(web.status, "running", "start")
    same(compose("ps -q web"), web.id + "\n", "ps -q")
    same(sorted(compose("ps --services").split()), ["dep", "job", "made", "web"], "ps --services")
    same([compose("ps --services --filter status=running").split(), compose("ps --services --filter status=paused").split()], [["dep", "web"], []], "ps --filter")
    port = web.attrs["NetworkSettings"]["Ports"]
    same(compose("port web 80"), "0.0.0.0:%s\n" % port["80/tcp"][0]["HostPort"], "port")
    same(compose("port --protocol=udp --index=1 web 70"), "0.0.0.0:%s\n" % port["70/udp"][0]["HostPort"], "port --protocol")
    same(compose("exec -T -u 1000 -e E=f -w /tmp web sh -c 'id -u; echo $E; pwd'"), "1000\nf\n/tmp\n", "exec")
    compose("exec -T -d --index=1 web touch /tmp/detached")
    until("what a detached exec does", lambda: web.exec_run("test -e /tmp/detached").exit_code == 0)
    has(compose("exec -T --privileged web true", 1), "privileged", "exec --privileged")
    compose("exec -T web sh -c 'exit 7'", 7)
    has(compose("top web"), "httpd", "top")
    has(compose("logs --no-color web"), "web_1   | serving", "logs")
    same(compose("logs --no-color --no-log-prefix --tail=1 web").splitlines()[-1], "serving", "logs --no-log-prefix")
    has(compose("logs --no-color -t web"), "Z serving", "logs -t")
    follower = Call("logs --no-color -f --tail=1 web")
    watcher = Call("events --json web")
    plain = Call("events web")
    compose("pause web")
    same(one("web").status, "paused", "pause")
    compose("unpause web")
    compose("restart -t 0 web")
    same(one("web").status, "running", "restart")
    compose("stop -t 0 web")
    same(one("web").status, "exited", "stop")
    follower.end()
    has(follower.out, "web_1   | serving", "logs -f")
    compose("start web")
    compose("kill -s KILL web")
    same(one("web").attrs["State"]["ExitCode"], 137, "kill -s")
    has(compose("ps"), "Exit 137", "ps")
    for w in (watcher, plain):
        os.kill(w.pid, signal.SIGINT)
        w.end()
    has(watcher.out, '"action": "stop"', "events --json")
    has(plain.out, "container stop", "events")


def one_offs():
    # The client attaches when it has started them.
    out = compose("run --rm -T --no-deps --name named --entrypoint 'sh -c' -e E=f -l of=run -u 1000 -w /tmp -v extra:/extra web "
                  "'sleep 1; id -u; pwd; echo $E; test -d /extra; sleep 1'")
    same(out.split(), ["1000", "/tmp", "f"], "run")
    same([c.name for c in d.containers.list(all=True, filters={"name": "named"})], [], "run --rm")
    name = compose("run -d --no-deps --use-aliases --service-ports -l of=run web httpd -f -p 80").strip()
    c = d.containers.get(name)
    same([c.labels["of"], c.labels["com.docker.compose.oneoff"], "80/tcp" in c.ports and len(c.ports["80/tcp"]) > 0], ["run", "True", True], "run -d --service-ports")
    has(str(c.attrs["NetworkSettings"]["Networks"]["opts_default"]["Aliases"]), "webalias", "run --use-aliases")
    c.kill()
    has(compose("ps -a"), name, "ps -a")
    same(name in compose("ps"), False, "ps without -a")
    c.remove(force=True)
    name = compose("run -d --no-deps -p 127.0.0.1::81 web httpd -f -p 81").strip()
    same(d.containers.get(name).ports["81/tcp"][0]["HostIp"], "127.0.0.1", "run -p")
    d.containers.get(name).remove(force=True)
    compose("run --rm -T --no-deps web sh -c 'sleep 1; exit 9'", 9)


def registry():
    with open("reg.yml", "w") as f:
        f.write('version: "3.7"\nservices:\n  r: { image: "%s/test/opts:1", build: ., depends_on: [ s ] }\n  s: { image: "%s/test/nosuch:1" }\n'
                '  b: { image: "%s/test/never:1", build: . }\n  u: { build: { context: ., dockerfile: Up } }\n' % (REGISTRY, REGISTRY, REGISTRY))
    with open("Up", "w") as f:
        f.write("FROM %s/test/opts:1\n" % REGISTRY)
    compose("-f reg.yml build r")
    has(compose("-f reg.yml push --ignore-push-failures"), "", "push")
    compose("-f reg.yml push r")
    i = d.images.get(REGISTRY + "/test/opts:1").id
    d.images.remove(i, force=True)
    compose("-f reg.yml pull -q --no-parallel r")
    same(d.images.get(REGISTRY + "/test/opts:1").id, i, "pull")
    has(compose("-f reg.yml build --pull u"), "Pulling from test/opts", "build --pull")
    has(compose("-f reg.yml pull --parallel r s", 1), "test/nosuch:1 not found", "an image that is not there")
    has(compose("-f reg.yml pull --no-parallel --ignore-pull-failures s"), "", "--ignore-pull-failures")
    has(compose("-f reg.yml pull b", 0, True), "must be built", "an image that is not there and can be built")
    compose("-f reg.yml pull --include-deps r", 1)
    has(compose("-f reg.yml config --resolve-image-digests", 1), "Digest not found for service 's'", "--resolve-image-digests")
    d.images.remove(i, force=True)


def the_end():
    compose("up -d --no-deps --force-recreate -V web")    # or its volume had the name that it was kept by
    compose("--profile build stop -t 0")
    anon = [m["Name"] for m in one("web").attrs["Mounts"] if m["Destination"] == "/anon"][0]
    compose("rm -f -v -a web")
    same([len(those("web")), [v.name for v in d.volumes.list() if v.name == anon]], [0, []], "rm -v")
    compose("up -d dep")
    compose("rm -s -f dep")
    same(len(those("dep")), 0, "rm -s")
    compose("--profile build down -v -t 0")
    same([len(those()), d.networks.list(names=["opts_default"]), [v.name for v in d.volumes.list() if v.name == "opts_data"]], [0, [], []], "down -v")
    compose("-f third.yml -p third build b")
    tags = lambda: sorted(t for i in d.images.list() for t in i.tags if t.startswith(("opts/", "third_")))
    same(tags(), ["opts/made:1", "third_b:latest"], "images")
    compose("-f third.yml -p third down --rmi local")
    same(tags(), ["opts/made:1"], "down --rmi local")
    compose("-f third.yml -p third down --rmi all")
    same(tags(), [], "down --rmi all")
    compose("-f compat.yml --compatibility -p compat up -d")
    two = those("c", project="compat")
    h = two[0].attrs["HostConfig"]
    same([len(two), h["Memory"], h["NanoCpus"], h["RestartPolicy"]], [2, 64 << 20, 250000000, {"Name": "on-failure", "MaximumRetryCount": 4}], "--compatibility")
    compose("-f compat.yml --compatibility -p compat down -t 0")


def main():
    files()
    texts = help_texts()
    for command, options in texts.items():
        for names, valued in options:
            if valued:
                VALUED.update((command, n) for n in names)
    used.clear()
    the_client()
    up_and_its_options()
    create_build_and_images()
    life()
    one_offs()
    if REGISTRY:
        registry()
    the_end()
    d.images.prune()
    missing = [c for c in texts if c and c not in used and c != "help"]
    missing += [" ".join([c] + names[-1:]) for c, options in texts.items() for names, _ in options if not used.get(c, set()) & set(names)]
    missing = [m for m in missing if REGISTRY or m.split()[0] not in ("pull", "push")]
    if sum(map(len, texts.values())) < 90:
        sys.exit("only %d options were found" % sum(map(len, texts.values())))
    if missing:
        sys.exit("docker-compose: no call of " + ", ".join(missing))


main()
