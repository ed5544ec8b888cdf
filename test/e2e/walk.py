"""Walks all that the Docker API takes (build/apitable): every option of every endpoint and every field of every body, with
values of a wrong type, out of range, too long, null, and beside unknown members. Nothing may answer 5xx, what is refused
changes nothing, and what the tables say of a field holds: the sample of a refused one is refused, null is absence.

Usage: walk.py SOCKET TABLE bodies|options"""
import io, json, socket, sys, tarfile

SOCKET, TABLE, PART = sys.argv[1:]
faults = []
count = 0


def ask(method, path, body=None, whole=True):
    """Status and decoded answer; a stream (whole=False, or one that does not end) gives its status only, unless it is refused."""
    global count
    count += 1
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(15)
    s.connect(SOCKET)
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    head = "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n" % (method, path, len(data))
    if data:
        head += "Content-Type: application/json\r\n"
    try:
        s.sendall(head.encode() + b"\r\n" + data)
    except BrokenPipeError:
        pass                                          # answered before it had read all
    got = b""
    while whole or b"\r\n" not in got or got[9:10] in b"45":  # what says no comes to an end
        try:
            piece = s.recv(1 << 16)
        except (ConnectionResetError, TimeoutError):
            break
        if not piece:
            break
        got += piece
    s.close()
    if not got:
        return 0, None
    head, _, rest = got.partition(b"\r\n\r\n")
    try:
        answer = json.loads(rest)
    except ValueError:
        answer = None
    return int(got.split()[1]), answer


def fault(what, status, answer, value):
    text = json.dumps(value)
    faults.append("%s: %s %s for %s" % (what, status, str(answer)[:200], text if len(text) < 120 else text[:120] + "..."))


# --- the world that the requests need ----------------------------------------------------------------------

def world():
    return [ask("GET", "/containers/json?all=1")[1], ask("GET", "/networks")[1], ask("GET", "/volumes")[1],
            ask("GET", "/images/json")[1]]


def names():
    c, n, v, i = world()
    return [sorted(x["Id"] for x in c), sorted(x["Id"] for x in n), sorted(x["Name"] for x in v["Volumes"]), sorted(x["Id"] for x in i)]


def need(name="walked"):
    status, answer = ask("POST", "/containers/create?name=" + name, {"Image": "busybox", "Cmd": ["sleep", "1000"]})
    if status not in (201, 409):
        sys.exit("no container to work with: %s %s" % (status, answer))


def running():
    need("ran")
    ask("POST", "/containers/ran/start")


def exec_new():
    return ask("POST", "/containers/ran/exec", {"Cmd": ["true"]})[1]["Id"]


def undo(endpoint, answer):
    """What a request that succeeded has made goes again."""
    if endpoint == "POST /containers/create":
        ask("DELETE", "/containers/%s?force=1&v=1" % answer["Id"])
    elif endpoint == "POST /networks/create":
        ask("DELETE", "/networks/" + answer["Id"])
    elif endpoint == "POST /volumes/create":
        ask("DELETE", "/volumes/" + answer["Name"])
    elif endpoint == "POST /commit":
        ask("DELETE", "/images/%s?force=1" % answer["Id"])
    elif endpoint == "POST /networks/{id...}/connect":
        ask("POST", "/networks/walknet/disconnect", {"Container": "walked"})


BASES = {
    "POST /containers/create": {"Image": "busybox", "Cmd": ["true"]},
    "POST /containers/{id...}/update": {},
    "POST /containers/{id...}/exec": {"Cmd": ["true"]},
    "POST /exec/{id...}/start": {"Detach": True},
    "POST /commit": {},
    "POST /auth": {"serveraddress": "127.0.0.1:9", "username": "x", "password": "y"},
    "POST /networks/create": {"Name": "walked"},
    "POST /networks/{id...}/connect": {"Container": "walked"},
    "POST /networks/{id...}/disconnect": {"Container": "walked", "Force": True},
    "POST /volumes/create": {"Name": "walked"},
}


def target(endpoint):
    method, path = endpoint.split()
    if path.startswith("/containers/{id...}/exec"):
        path = path.replace("{id...}", "ran")
    elif path.startswith("/exec/"):
        path = path.replace("{id...}", exec_new())
    elif path.startswith("/networks/"):
        path = path.replace("{id...}", "walknet")
    elif path == "/commit":
        path += "?container=walked"
    return method, path.replace("{id...}", "walked")


def send(endpoint, body):
    if endpoint == "POST /networks/{id...}/disconnect":
        ask("POST", "/networks/walknet/connect", {"Container": "walked"})
    method, path = target(endpoint)
    status, answer = ask(method, path, body)
    if 200 <= status < 300:
        undo(endpoint, answer)
    return status, answer


# --- bodies ------------------------------------------------------------------------------------------------

KEYS = {"PortBindings": "80/tcp", "EndpointsConfig": "bridge"}


def around(path, value):
    """The object that holds `value` at A.B[].C{}.D, with what else it needs to be looked at."""
    for part in reversed(path.split(".")):
        name, marks = part.rstrip("[]{}"), part[len(part.rstrip("[]{}")):]
        if name == "Mounts" and isinstance(value, dict):
            kind = next((k for k in ("Bind", "Volume", "Tmpfs") if k + "Options" in value), "Volume").lower()
            value = dict({"Type": kind, "Target": "/x"}, **({"Source": "/tmp"} if kind == "bind" else {}), **value)
        for mark in reversed([marks[i:i + 2] for i in range(0, len(marks), 2)]):
            value = [value] if mark == "[]" else {KEYS.get(name, "x"): value}
        value = {name: value}
    return value


def merged(a, b):
    out = dict(a)
    for k, v in b.items():
        out[k] = merged(out[k], v) if isinstance(v, dict) and isinstance(out.get(k), dict) else v
    return out


WRONG = {
    "string": [5, True, [], {}, ["x"], {"a": "b"}],
    "strings": [5, True, {}, {"a": "b"}, [5], [True], [["x"]], [{}]],
    "string or strings": [5, True, {}, [5], [["x"]], [{}]],
    "pairs": [5, True, "x", ["x"], {"a": 5}, {"a": {}}, {"a": ["x"]}],
    "set": [5, True, "x", {"a": 5}, {"a": "x"}],
    "bool": [5, "x", "true", [], {}],
    "int": ["x", "5", True, [], {}, 1.5, 1e30, 10**20, -10**20],
    "uint": ["x", True, [], {}, -1, 1.5, 1e30],
    "number": ["x", [], {}],
    "object": [5, True, "x", ["x"]],
    "list": [5, True, "x", {"a": "b"}, [5], ["x"]],
    "map": [5, True, "x", ["x"], {"a": 5}, {"a": ["x"]}],
    "time": [5, "x", [], {}],
    "any": [],
}
FAR = {"int": [2**63 - 1, -2**63, -1, 2**31, 2**32], "uint": [2**64 - 1, 2**63]}
LONG = "y" * 300000
TOO_LONG = {"string": [LONG, "a\tb\r\nc", "\u202e" * 300, "../" * 2000], "strings": [[LONG], ["y"] * 30000, ["", ""]],
            "string or strings": [LONG, [LONG], ["y"] * 30000], "pairs": [{LONG: LONG}, {"k%d" % i: "" for i in range(20000)}, {"": ""}],
            "set": [{LONG: {}}, {"%d/tcp" % i: {} for i in range(20000)}, {"": {}}], "list": [[{}] * 3000], "map": [{LONG: {}}],
            "any": [5, True, "x", [], {}, ["x"], [5], {"a": 5}, {"a": ["x"]}, [{}] * 3000, LONG]}


def body_walk(endpoint, fields):
    base = BASES[endpoint]
    plain = send(endpoint, base)[0]
    if plain >= 400 and endpoint != "POST /auth":
        fault(endpoint + " as it should be", plain, None, base)
    for f in fields:
        path, kind = f["path"], f["kind"]
        here = "%s %s" % (endpoint, path)
        for value in WRONG[kind]:
            status, answer = send(endpoint, merged(base, around(path, value)))
            if not 400 <= status < 500 or not (answer or {}).get("message"):
                fault(here + " of a wrong type", status, answer, value)
        for value in FAR.get(kind, []) + TOO_LONG.get(kind, []):
            status, answer = send(endpoint, merged(base, around(path, value)))
            if status == 0 or (status >= 500 and status != 501 and endpoint != "POST /auth") or (status >= 400 and not answer.get("message")):
                fault(here + " out of range", status, answer, value)
        status, answer = send(endpoint, merged(base, around(path, None)))
        simple = not any(c in path for c in "[{") and path not in base
        if status >= 500 and endpoint != "POST /auth" or (simple and status != plain):
            fault(here + " null", status, answer, None)
        if f["fate"] == "refused" and f["sample"] is not None:
            status, answer = send(endpoint, merged(base, around(path, f["sample"])))
            if not (400 <= status < 500 or status == 501) or not answer.get("message"):
                fault(here + " is not refused", status, answer, f["sample"])
        if "." in path:
            parent = path.rpartition(".")[0]
            status, answer = send(endpoint, merged(base, around(parent + ".Nosuch", {"a": [1, None]})))
            if status >= 500 and endpoint != "POST /auth" or "Nosuch" in str(answer):
                fault(here + " beside an unknown member", status, answer, None)
    status, answer = send(endpoint, merged(base, {"Nosuch": {"a": [1, None]}}))
    if status != plain:
        fault(endpoint + " with an unknown member", status, answer, None)
    for junk in (b"[]", b"5", b"null", b'"x"', b"{", b'{"a":}', b"\xff", b"{}{}"):
        status, answer = send(endpoint, junk)
        if not 400 <= status < 500 and not (junk == b"null" and status == plain):
            fault(endpoint + " that is no object", status, answer, junk.decode("latin1"))
    status, answer = send(endpoint, b'{"x":"' + b"y" * (5 << 20) + b'"}')
    if status not in (413, 0):
        fault(endpoint + " of 5 MB", status, answer, "5 MB")


# --- options -----------------------------------------------------------------------------------------------

def context(dockerfile):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("Dockerfile")
        info.size = len(dockerfile)
        tar.addfile(info, io.BytesIO(dockerfile.encode()))
    return out.getvalue()


VALUES = ["", "x", "-1", "1", "5x", "99999999999999999999", "1e5", "%2e%2e%2f", "%00", "%ff", "%0d%0aX:+y", "{", "[]", "5", "true", "null",
          '{"nosuch":["x"]}', '{"label":5}', '{"label":{"a":5}}', "[[[[", "a" * 5000, "2026-13-45T99:99:99Z", "/", "a:b:c@d", "2>1"]
REGISTRY = "127.0.0.1:9"                              # where nobody listens
ALWAYS = {  # what makes an endpoint come to an end
    "GET /events": "until=1", "GET /containers/{id...}/stats": "stream=0&one-shot=1", "GET /containers/{id...}/logs": "stdout=1",
    "POST /images/create": "fromSrc=-", "GET /images/search": "term=%s/x" % REGISTRY, "POST /containers/{id...}/stop": "t=0", "POST /containers/{id...}/restart": "t=0",
}
BODIES = {"POST /build": context("FROM scratch\nLABEL a=b\n"), "POST /auth": json.dumps({"serveraddress": REGISTRY}).encode()}


def far_away(answer):
    """Of a registry that cannot be reached: as Docker, 500."""
    return (answer or {}).get("message", "").startswith("registry ")


def option_walk(endpoint, options):
    method, path = endpoint.split()
    body = BODIES.get(endpoint)
    for option in options:
        for value in VALUES:
            if option == "t" and value == "-1":
                continue                              # as long as it takes
            need()
            p = path.replace("{id...}", "walknet" if path.startswith("/networks") else "walked")
            p = p.replace("{name...}", "walkvol" if path.startswith("/volumes") else REGISTRY + "/x" if path.startswith("/distribution") else
                          "busybox" if method == "GET" else "nosuch/image")
            query = "&".join(x for x in ("%s=%s" % (option, value.replace("{", "%7b").replace('"', "%22").replace("[", "%5b")
                     .replace(">", "%3e")), ALWAYS.get(endpoint, "")) if x)
            status, answer = ask(method, "%s?%s" % (p, query), body, False)
            if status == 0 or (status >= 500 and status not in (501, 503) and not far_away(answer)):
                fault("%s %s" % (endpoint, option), status, answer, value)
            if option == "filters" and value in ("x", "{", "[]", "5", '{"nosuch":["x"]}', '{"label":5}', '{"label":{"a":5}}') and status != 400:
                fault("%s filters are not 400" % endpoint, status, answer, value)
    status, answer = ask(method, path.replace("{id...}", "nosuch").replace("{name...}", REGISTRY + "/nosuch") +
                         "?nosuch=1&" + ALWAYS.get(endpoint, ""), body, False)
    if status == 0 or (status >= 500 and status not in (501, 503) and not far_away(answer)):
        fault("%s with an unknown option" % endpoint, status, answer, None)


need()
running()
ask("POST", "/networks/create", {"Name": "walknet"})
ask("POST", "/volumes/create", {"Name": "walkvol"})
before = names()
for e in json.load(open(TABLE)):
    endpoint = "%s %s" % (e["method"], e["path"])
    if PART == "bodies" and e["body"]:
        if endpoint not in BASES:
            fault("%s has a body and no place in walk.py" % endpoint, 0, None, None)
            continue
        body_walk(endpoint, e["body"])
        if names() != before:
            fault("%s changed what there is" % endpoint, 0, None, None)
            before = names()
    if PART == "options":
        option_walk(endpoint, e["options"])
for name in ("walked", "ran"):
    ask("DELETE", "/containers/%s?force=1" % name)
ask("DELETE", "/networks/walknet")
ask("DELETE", "/volumes/walkvol")
print("%d requests" % count)
for f in faults[:60]:
    print(f)
if len(faults) > 60:
    print("and %d more" % (len(faults) - 60))
sys.exit(bool(faults))
