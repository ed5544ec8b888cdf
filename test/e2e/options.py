"""Options of the installed docker CLI that no test passes: for each command and each of its options there must be a function of
test/e2e/*.sh that calls the command and has the option. Prints what is missing. Swarm's commands are apart, as are options that never
reach the engine (BESIDE)."""
import glob, re, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

SWARM = {"config", "node", "secret", "service", "stack", "swarm"}
BESIDE = {  # between the client and a registry, a notary, or its own files; or only shown by a help text
    "checkpoint create": "leave-running checkpoint-dir", "checkpoint ls": "checkpoint-dir", "checkpoint rm": "checkpoint-dir",
    "start": "checkpoint checkpoint-dir", "context create": "from", "context ls": "format", "pull": "disable-content-trust", "push": "disable-content-trust",
    "manifest annotate": "os-features os-version variant", "manifest create": "amend insecure", "manifest inspect": "verbose",
    "manifest push": "insecure", "trust inspect": "pretty", "trust sign": "local",
    # there are no plugins
    "plugin create": "compress", "plugin disable": "force", "plugin enable": "timeout", "plugin inspect": "format",
    "plugin install": "alias disable disable-content-trust", "plugin ls": "filter format no-trunc", "plugin push": "disable-content-trust",
    "plugin rm": "force", "plugin upgrade": "disable-content-trust skip-remote-check",
}
OTHER_NAMES = {"image ls": "images", "image rm": "rmi", "builder build": "build", "container ls": "ps", "system events": "events", "system info": "info"}


def help_of(*words):
    return subprocess.run(["docker", *words, "--help"], capture_output=True, text=True).stdout


def section(text, title):
    on = False
    for line in text.splitlines():
        if line and not line.startswith(" "):
            on = line.endswith(title)
        elif on:
            yield line


def commands_in(text):
    return [m.group(1) for line in section(text, "Commands:") for m in [re.match(r"  ([a-z][a-z-]*)\*?\s", line)] if m]


def options_in(text):
    return [(m.group(1) or "", m.group(2)) for line in section(text, "Options:") for m in [re.match(r"  (?:-(\w), |    )--([a-z0-9-]+)", line)] if m]


def short_name(command, top):
    group, _, name = command.partition(" ")
    if command in OTHER_NAMES:
        return OTHER_NAMES[command]
    return name if group in ("container", "image") and name in top and name != "inspect" else command


def main():
    top = [c for c in commands_in(help_of()) if c not in SWARM]
    with ThreadPoolExecutor(4) as pool:
        texts = dict(zip(top, pool.map(help_of, top)))
        below = [(c, s) for c in top if "docker %s COMMAND" % c in texts[c] for s in commands_in(texts[c])]
        below = [(c, s) for c, s in below if short_name(c + " " + s, top) == c + " " + s]
        texts.update(zip((" ".join(x) for x in below), pool.map(lambda x: help_of(*x), below)))
    functions = []
    for name in glob.glob("test/e2e/[0-9]*.sh"):
        text = "\n".join(x for x in open(name).read().splitlines() if not x.lstrip().startswith("#"))
        functions += re.split(r"(?m)^(?=\w+\(\) \{)", text)
    count, missing = 0, []
    for command, text in texts.items():
        names = {command, "container " + command, "image " + command} | {k for k, v in OTHER_NAMES.items() if v == command}
        if command in ("run", "create"):              # they take the same
            names |= {"run", "create"}
        calls = re.compile(r"(?<![\w-])(?:%s)\b" % "|".join(r"\s+".join(map(re.escape, n.split())) for n in names))
        mine = [f for f in functions if calls.search(f)]
        for letter, option in options_in(text):
            count += 1
            has = re.compile(r"""[\s"'(](?:--%s(?![\w-])%s)""" % (re.escape(option), r"|-[a-zA-Z]*%s(?![a-z])" % letter if letter else ""))
            if option != "help" and option not in BESIDE.get(command, "").split() and not any(has.search(f) for f in mine):
                missing.append("docker %s --%s" % (command, option))
    if count < 400:
        missing.append("only %d options were found" % count)
    print("\n".join(missing))
    sys.exit(bool(missing))


main()
