"""A registry in memory with a token server, which says what it was asked. Usage: token-registry.py PORT BEHAVIOUR

User "pusher", password "secret". Tokens name their scopes. BEHAVIOUR: good; elsewhere (uploads go to PORT+1, another server);
denied (no token allows to push); full (uploads are refused in the middle); again (each upload fails once).
Prints one line for each request: METHOD PATH SCHEME-OF-AUTHORIZATION."""
import base64
import hashlib
import json
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, behaviour = int(sys.argv[1]), sys.argv[2]
blobs, manifests, failed = {}, {}, set()


def digest(b):
    return "sha256:" + hashlib.sha256(b).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.send_header("Content-Length", headers.pop("length", len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status, code):
        self.answer(status, json.dumps({"errors": [{"code": code, "message": "said the registry"}]}).encode())

    def token(self, query):
        want = base64.b64encode(b"pusher:secret").decode()
        if self.headers.get("Authorization") != "Basic " + want:
            return self.error(401, "UNAUTHORIZED")
        scopes = [s for s in query.get("scope", [])]
        if behaviour == "denied":
            scopes = [s.replace(",push", "") for s in scopes]
        self.answer(200, json.dumps({"token": base64.urlsafe_b64encode(" ".join(scopes).encode()).decode()}).encode())

    def may(self, repository, action):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        try:
            scopes = base64.urlsafe_b64decode(token).decode().split() if scheme == "Bearer" else []
        except ValueError:
            scopes = []
        if repository is None:
            return scheme == "Bearer"
        return any(s.startswith("repository:%s:" % repository) and action in s.rsplit(":", 1)[1].split(",") for s in scopes)

    def handle_one(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        print(self.command, self.path, self.headers.get("Authorization", "none").split()[0], flush=True)
        own = self.server.server_port == port
        body = b""
        if self.command != "GET":
            n = int(self.headers.get("Content-Length", 0))
            if behaviour == "full" and n > 100 and "/uploads/" in url.path:
                self.close_connection = True
                return self.error(507, "UNKNOWN")
            body = self.rfile.read(n)
        if url.path == "/token":
            return self.token(query)
        if url.path == "/v1/search":
            found = [{"name": query["q"][0] + "-%d" % i, "description": "number %d of \u00e4ll" % i, "star_count": 10 * i,
                      "is_official": i == 3, "is_automated": i == 2} for i in range(5)]
            return self.answer(200, json.dumps({"num_results": 5, "query": query["q"][0], "results": found}).encode())
        repository = url.path[4:].split("/blobs/")[0].split("/manifests/")[0] or None
        action = "pull" if self.command in ("GET", "HEAD") else "push"
        if own and not self.may(repository, action):
            return self.answer(401, b"{}", WWW_Authenticate='Bearer realm="http://127.0.0.1:%d/token",service="here",scope="repository:%s:pull"' % (port, repository))
        if url.path == "/v2/":
            return self.answer(200, b"{}")
        last = url.path.rsplit("/", 1)[1]
        if "/manifests/" in url.path and self.command == "PUT":
            manifests[last] = body
            return self.answer(201, Docker_Content_Digest=digest(body))
        if self.command == "POST":
            blob, source = query.get("mount", [""])[0], query.get("from", [""])[0]
            if (source, blob) in blobs and self.may(source, "pull"):
                blobs[repository, blob] = blobs[source, blob]
                return self.answer(201)
            host = "http://127.0.0.1:%d" % (port + 1) if behaviour == "elsewhere" else ""
            return self.answer(202, Location="%s/v2/%s/blobs/uploads/1?state=x" % (host, repository))
        if self.command == "PUT":
            want = query["digest"][0]
            if behaviour == "again" and want not in failed:
                failed.add(want)
                return self.error(503, "UNAVAILABLE")
            if digest(body) != want:
                return self.error(400, "DIGEST_INVALID")
            blobs[repository, want] = body
            return self.answer(201)
        body = blobs.get((repository, last))
        return self.error(404, "BLOB_UNKNOWN") if body is None else self.answer(200, body)

    do_GET = do_HEAD = do_POST = do_PUT = handle_one


if behaviour == "elsewhere":
    threading.Thread(target=ThreadingHTTPServer(("127.0.0.1", port + 1), Handler).serve_forever, daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
