"""A registry with one image that misbehaves. Usage: lying-registry.py PORT BEHAVIOUR"""
import gzip
import hashlib
import io
import json
import sys
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, behaviour = int(sys.argv[1]), sys.argv[2]
raw = io.BytesIO()
with tarfile.open(fileobj=raw, mode="w") as t:
    info = tarfile.TarInfo("hello")
    info.size = 6
    t.addfile(info, io.BytesIO(b"world\n"))
layer = raw.getvalue()
packed = gzip.compress(layer, mtime=0)


def digest(b):
    return "sha256:" + hashlib.sha256(b).hexdigest()


config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [digest(layer)]}}).encode()
V2 = "application/vnd.docker.distribution.manifest.v2+json"
doc = {"schemaVersion": 2, "mediaType": V2,
       "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": digest(config), "size": len(config)},
       "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "digest": digest(packed), "size": len(packed)}]}
if behaviour == "confused":                               # says one thing, has the members of both (CVE-2021-41190)
    doc["manifests"] = [{"mediaType": V2, "digest": digest(config), "size": len(config), "platform": {"os": "linux", "architecture": "amd64"}}]
    doc["mediaType"] = "application/vnd.oci.image.index.v1+json"
if behaviour == "schema1":
    doc = {"schemaVersion": 1, "name": "x/y", "tag": "latest", "fsLayers": [], "history": []}
    V2 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
manifest = json.dumps(doc).encode()
if behaviour == "nonsense":
    manifest = b"<html>welcome to the captive portal</html>"
if behaviour == "huge":
    manifest = b" " * (100 << 20)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        print(self.path, flush=True)

    def answer(self, body, kind, status=200, length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        if self.command != "HEAD":
            try:
                self.wfile.write(body)
            except OSError:
                pass

    def do_GET(self):
        if behaviour == "unauthorized":
            return self.answer(b"{}", "application/json", 401, WWW_Authenticate='Basic realm="no"')
        if behaviour == "redirects" and "/blobs/" in self.path:
            return self.answer(b"", "text/plain", 307, Location=self.path)
        if "/manifests/" in self.path:
            return self.answer(manifest, V2)
        if self.path.endswith(digest(config)):
            return self.answer(config, "application/octet-stream")
        if self.path.endswith(digest(packed)):
            if behaviour == "longer":
                return self.answer(packed + b"more", "application/octet-stream")
            if behaviour == "shorter":
                self.close_connection = True
                return self.answer(packed[:40], "application/octet-stream", length=len(packed))
            return self.answer(packed, "application/octet-stream")
        if "/tags/list" in self.path:                     # two tags, a page each
            first = "last=" not in self.path
            more = {"two": "/v2/x/y/tags/list?last=a&n=1", "elsewhere": "http://127.0.0.2/v2/x/y/tags/list", "forever": self.path}.get(behaviour, "")
            link = {"Link": '<%s>; rel="next"' % more} if more and (first or behaviour == "forever") else {}
            return self.answer(json.dumps({"name": "x/y", "tags": ["a" if first else "b"]}).encode(), "application/json", **link)
        if self.path == "/v2/":
            return self.answer(b"{}", "application/json")
        self.answer(b"{}", "application/json", 404)

    do_HEAD = do_GET


ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
