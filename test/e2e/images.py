"""Images for the tests.

images.py save DIR NAME > tar                                    what `docker save` writes, of DIR/*.tar as layers
images.py push URL CA USER:PASSWORD LAYER.tar KIND NAME:TAG      KIND: docker, oci, oci-zstd, list; prints the digest
images.py layer-of URL CA USER:PASSWORD NAME:TAG                 digest of the first layer"""
import base64
import glob
import gzip
import hashlib
import io
import json
import ssl
import subprocess
import sys
import tarfile
import urllib.request

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(subprocess.check_output(["uname", "-m"], text=True).strip(), "amd64")


def digest(b):
    return "sha256:" + hashlib.sha256(b).hexdigest()


def config(layers, arch=ARCH):
    return json.dumps({
        "architecture": arch, "os": "linux", "created": "2026-01-02T03:04:05Z",
        "config": {"Cmd": ["sh"], "Env": ["PATH=/bin:/usr/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(l) for l in layers]},
        "history": [{"created": "2026-01-02T03:04:05Z", "created_by": "layer %d" % i} for i, _ in enumerate(layers)],
    }).encode()


def add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def save(folder, name):
    layers = [open(f, "rb").read() for f in sorted(glob.glob(folder + "/*.tar"))]
    conf = config(layers)
    out = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
    add(out, digest(conf)[7:] + ".json", conf)
    for i, layer in enumerate(layers):
        add(out, "layer%d/layer.tar" % i, layer)
    add(out, "manifest.json", json.dumps([{
        "Config": digest(conf)[7:] + ".json", "RepoTags": [name],
        "Layers": ["layer%d/layer.tar" % i for i in range(len(layers))]}]).encode())
    out.close()


class Registry:
    def __init__(self, url, ca, login):
        self.url = url
        self.context = ssl.create_default_context(cafile=ca)
        self.auth = "Basic " + base64.b64encode(login.encode()).decode()

    def request(self, method, path, body=None, headers=None):
        r = urllib.request.Request(path if path.startswith("http") else self.url + path, data=body, method=method)
        r.add_header("Authorization", self.auth)
        for k, v in (headers or {}).items():
            r.add_header(k, v)
        return urllib.request.urlopen(r, context=self.context)

    def blob(self, name, data):
        at = self.request("POST", "/v2/%s/blobs/uploads/" % name, b"").headers["Location"]
        self.request("PUT", at + ("&" if "?" in at else "?") + "digest=" + digest(data), data,
                     {"Content-Type": "application/octet-stream"})
        return {"digest": digest(data), "size": len(data)}

    def manifest(self, name, tag, doc):
        data = json.dumps(doc).encode()
        self.request("PUT", "/v2/%s/manifests/%s" % (name, tag), data, {"Content-Type": doc["mediaType"]})
        return {"mediaType": doc["mediaType"], "digest": digest(data), "size": len(data)}


DOCKER = "application/vnd.docker."
OCI = "application/vnd.oci.image."


def push_one(reg, name, tag, layer, kind, arch=ARCH):
    conf = config([layer], arch)
    packed = subprocess.run(["zstd", "-q", "-1"], input=layer, stdout=subprocess.PIPE, check=True).stdout \
        if kind.endswith("zstd") else gzip.compress(layer, 1, mtime=0)
    docker = not kind.startswith("oci")
    doc = {
        "schemaVersion": 2,
        "mediaType": DOCKER + "distribution.manifest.v2+json" if docker else OCI + "manifest.v1+json",
        "config": {"mediaType": DOCKER + "container.image.v1+json" if docker else OCI + "config.v1+json", **reg.blob(name, conf)},
        "layers": [{"mediaType": (DOCKER + "image.rootfs.diff.tar.gzip") if docker else
                    OCI + "layer.v1.tar" + ("+zstd" if kind.endswith("zstd") else "+gzip"), **reg.blob(name, packed)}],
    }
    return reg.manifest(name, tag, doc)


def push(url, ca, login, layer_file, kind, ref):
    reg = Registry(url, ca, login)
    name, tag = ref.rsplit(":", 1)
    layer = open(layer_file, "rb").read()
    if kind != "list":
        print(push_one(reg, name, tag, layer, kind)["digest"])
        return
    other = "arm64" if ARCH == "amd64" else "amd64"
    entries = []
    for arch in (other, ARCH):
        m = push_one(reg, name, "only-" + arch, layer, "docker", arch)
        entries.append({**m, "platform": {"os": "linux", "architecture": arch}})
    print(reg.manifest(name, tag, {"schemaVersion": 2, "mediaType": DOCKER + "distribution.manifest.list.v2+json",
                                   "manifests": entries})["digest"])


if sys.argv[1] == "save":
    save(*sys.argv[2:4])
elif sys.argv[1] == "push":
    push(*sys.argv[2:8])
elif sys.argv[1] == "layer-of":
    reg = Registry(*sys.argv[2:5])
    name, tag = sys.argv[5].rsplit(":", 1)
    doc = json.load(reg.request("GET", "/v2/%s/manifests/%s" % (name, tag), None,
                                {"Accept": DOCKER + "distribution.manifest.v2+json"}))
    print(doc["layers"][0]["digest"])
