"""Walks CloudAPI: every method of every endpoint with good and bad names and options, and every field of every object it answers
(build/apitable cloud). Nothing may answer 5xx, errors are objects with a code and a message, what is not the caller's is 404.

Usage: walk-cloud.py HOST:PORT CA TABLE LOGIN KEY FINGERPRINT OTHER-LOGIN    (an ECDSA key: each of its signatures is another one)"""
import base64, json, socket, ssl, subprocess, sys, time

ADDRESS, CA, TABLE, LOGIN, KEY, PRINT, OTHER = sys.argv[1:]
HOST, PORT = ADDRESS.rsplit(":", 1)
context = ssl.create_default_context(cafile=CA)
context.check_hostname = False
faults = []
count = 0


def sign(method, target):
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    text = "date: %s\n(request-target): %s %s" % (date, method.lower(), target)
    out = subprocess.run(["openssl", "dgst", "-sha256", "-sign", KEY], input=text.encode("latin1"), stdout=subprocess.PIPE, check=True).stdout
    return 'Date: %s\r\nAuthorization: Signature keyId="/%s/keys/%s",algorithm="ecdsa-sha256",headers="date (request-target)",signature="%s"\r\n' % (
        date, LOGIN, PRINT, base64.b64encode(out).decode())


def ask(method, target, body=b"", signed=True):
    """Status, whether there was a body, and the answer decoded (None: no JSON)."""
    global count
    count += 1
    with context.wrap_socket(socket.create_connection((HOST, int(PORT)), 15)) as s:
        head = "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nAccept-Version: ~8\r\nContent-Length: %d\r\n" % (method, target, ADDRESS, len(body))
        got = b""
        try:
            s.sendall((head + (sign(method, target) if signed else "") + "\r\n").encode("latin1") + body)
            while True:
                piece = s.recv(1 << 16)
                if not piece:
                    break
                got += piece
        except OSError:
            pass
    if not got:
        return 0, False, None
    head, _, rest = got.partition(b"\r\n\r\n")
    try:
        return int(got.split()[1]), bool(rest), json.loads(rest)
    except ValueError:
        return int(got.split()[1]), bool(rest), None


def fault(what, *about):
    faults.append("%s: %s" % (what, " ".join(str(x)[:200] for x in about)))


KINDS = {"string": str, "bool": bool, "int": int, "time": str}
BAD = ["x", "-1", "%2e%2e", "%2e%2e%2fx", "%00", "%ff", "%0d%0aX:+y", "%", "%zz", "*", "~", "a" * 300, "a" * 5000, "{}", "%22", "%3Cscript%3E", OTHER]


def error_is_told(what, method, status, has_body, answer):
    if status == 0 or status >= 500:
        fault(what, "answers", status, answer)
    elif status >= 400 and method != "HEAD" and not (isinstance(answer, dict) and answer.get("code") and answer.get("message")):
        fault(what, "has no code and message:", status, answer)
    if method == "HEAD" and has_body:
        fault(what, "has a body")


def object_is_whole(what, fields, answer):
    if not isinstance(answer, dict):
        return fault(what, "is no object:", answer)
    for f in fields:
        if f["name"] not in answer:
            if f["always"]:
                fault(what, "has no", f["name"])
        elif type(answer[f["name"]]) is not KINDS[f["kind"]]:
            fault(what, f["name"], "is no", f["kind"], answer[f["name"]])
    for name in answer:
        if name not in [f["name"] for f in fields]:
            fault(what, "has", name, "which its table does not know")


table = json.load(open(TABLE))
first = {}                                                # a name that is there, by the path of the list
for path, name in (("keys", "name"), ("packages", "name")):
    first[path] = ask("GET", "/%s/%s" % (LOGIN, path))[2][0][name]
first["datacenters"] = next(iter(ask("GET", "/%s/datacenters" % LOGIN)[2]))
tried = 0
for e in table:
    path = e["path"].replace("{account}", LOGIN)
    kind = path.split("/")[2] if path.count("/") > 2 else ""
    good = path if "{" not in path else path[:path.index("{")] + first[kind].replace(" ", "%20")
    status, has_body, answer = ask("GET", good)
    if status not in (200, 302):
        fault("GET " + good, status, answer)
    if e["fields"]:
        for one in answer if isinstance(answer, list) else [answer]:
            object_is_whole("GET " + good, e["fields"], one)
            tried += 1
    alike = ask("GET", path.replace("/" + LOGIN, "/my", 1))[0] if LOGIN in path and "{" not in path else None
    if alike not in (None, 404, status):
        fault("GET /my", "answers", alike, "for", path)
    for method in ("HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        got = ask(method, good, b'{"name":["x"],"key":5}' if method in ("POST", "PUT", "PATCH") else b"")
        error_is_told("%s %s" % (method, good), method, *got)
        if method != "HEAD" and got[0] < 400:
            fault("%s %s" % (method, good), "is taken:", got[0])
    for bad in BAD:
        if "{" in path:
            got = ask("GET", path[:path.index("{")] + bad)
            error_is_told("GET %s with %s" % (path, bad[:20]), "GET", *got)
            if got[0] < 400:
                fault("GET %s with %s" % (path, bad[:20]), "is there:", got[2])
        if "{account}" in e["path"]:
            got = ask("GET", good.replace("/" + LOGIN, "/" + bad, 1))
            error_is_told("GET %s as %s" % (path, bad[:20]), "GET", *got)
            if got[0] < 400:
                fault("GET %s as %s" % (path, bad[:20]), "is there:", got[2])
        for option in e["options"] + ["nosuch"]:
            got = ask("GET", "%s?%s=%s" % (good, option, bad))
            error_is_told("GET %s?%s=%s" % (path, option, bad[:20]), "GET", *got)
            if option == "name" and got[0] == 200 and got[2]:
                fault("GET %s?name=%s" % (path, bad[:20]), "finds", got[2])
    status, _, answer = ask("GET", good, signed=False)
    if (status == 401) == e["public"]:
        fault("GET %s without a signature" % path, status, answer)
print("%d requests, %d objects" % (count, tried))
for f in faults[:60]:
    print(f)
sys.exit(bool(faults) or tried < 5)
