"""The code of docker-compose 1.29.2, run in children of one process that has it loaded: a start of it takes longer than what it does."""
import os, shlex, sys, threading, time

import docker
from compose.cli import main as client

VALUED = set()                                        # options that have a value: filled from the help texts
used = {}                                             # command: the options that calls of it had
d = docker.from_env()


def read_all(fd):
    with os.fdopen(fd, "rb") as f:
        return f.read().decode().replace("\r", "")


class Call:
    """One run of the client. `out` and `err` are there once it has ended."""

    def __init__(self, line, **env):
        self.args = shlex.split(line)
        note(self.args)
        outs, errs = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            null = os.open("/dev/null", os.O_RDONLY)
            for i, fd in enumerate((null, outs[1], errs[1])):
                os.dup2(fd, i)
            for fd in outs + errs:
                os.close(fd)
            os.environ.update(env)
            sys.argv = ["docker-compose"] + self.args
            code = 0
            try:
                client.main()
            except SystemExit as e:
                code = e.code if isinstance(e.code, int) else 1 if e.code else 0
                if isinstance(e.code, str):
                    print(e.code, file=sys.stderr)
            except BaseException as e:
                print("%s: %s" % (type(e).__name__, e), file=sys.stderr)
                code = 99
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        os.close(outs[1]), os.close(errs[1])
        self.readers = [threading.Thread(target=self.read, args=x) for x in (("out", outs[0]), ("err", errs[0]))]
        for r in self.readers:
            r.start()

    def read(self, name, fd):
        setattr(self, name, read_all(fd))

    def end(self):
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        for r in self.readers:
            r.join()
        return self


def compose(line, status=0, said=False, **env):
    """What it printed; with another status or `said`, what it said as well."""
    c = Call(line, **env).end()
    if c.status != status:
        sys.exit("docker-compose %s: status %d, wanted %d; it said: %s%s" % (line, c.status, status, c.out, c.err))
    return c.out + c.err if status or said else c.out


def note(args):
    it = iter(args)
    command = ""
    for a in it:
        if not a.startswith("-"):
            if command in ("run", "exec"):
                break                                 # the service: what follows is its own
            command = command or a
            used.setdefault(command, set())
            continue
        name = a.split("=")[0]
        used.setdefault(command, set()).add(name)
        if (command, name) in VALUED and "=" not in a:
            next(it)


def same(got, wanted, what):
    if got != wanted:
        sys.exit("%s: got %r, wanted %r" % (what, got, wanted))


def has(text, part, what):
    if part not in text:
        sys.exit("%s: got %r, without %r" % (what, text, part))


def until(what, holds):
    for _ in range(400):
        if holds():
            return
        time.sleep(0.025)
    sys.exit(what + " did not come")
