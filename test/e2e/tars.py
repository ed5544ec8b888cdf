"""Hostile archives, by name, to stdout."""
import gzip
import hashlib
import io
import json
import os
import random
import sys
import tarfile

kind = sys.argv[1]
out = io.BytesIO()


def info(name, type=tarfile.REGTYPE, link="", size=0, mode=0o644, **more):
    i = tarfile.TarInfo(name)
    i.type, i.linkname, i.size, i.mode = type, link, size, mode
    for k, v in more.items():
        setattr(i, k, v)
    return i


def build(*entries, format=tarfile.PAX_FORMAT):
    with tarfile.open(fileobj=out, mode="w", format=format) as t:
        for e in entries:
            if isinstance(e, tuple):
                e[0].size = len(e[1])
                t.addfile(e[0], io.BytesIO(e[1]))
            else:
                t.addfile(e)


DIR, SYM, LNK, CHR, BLK = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE
E = "e2e-escaped"
UP = "../" * 20


def good():
    build((info("file"), b"x" * 3000))
    return bytearray(out.getvalue())


def raw(b):
    sys.stdout.buffer.write(bytes(b))
    sys.exit()


def load(kind, layer):
    """What `docker load` takes, with something wrong."""
    conf = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}
    m = [{"Config": "c.json", "RepoTags": ["hostile:load"], "Layers": ["l.tar"]}]
    entries = []
    if kind == "config-out":
        m[0]["Config"] = UP + "etc/passwd"
    if kind == "layer-out":
        m[0]["Layers"] = [UP + "etc/passwd"]
    if kind == "layer-symlink":
        m[0]["Layers"] = ["s.tar"]
        entries.append(info("s.tar", SYM, "/etc/passwd"))
    if kind == "fewer-layers":
        m[0]["Layers"] = []
    if kind == "bad-diffid":
        conf["rootfs"]["diff_ids"] = ["sha256:" + "0" * 64]
    if kind == "bad-tag":
        m[0]["RepoTags"] = ["../x"]
    if kind == "not-array":
        m = {"Config": "c.json"}
    if kind != "no-config":
        entries.append((info("c.json"), json.dumps(conf).encode()))
    entries.append((info("l.tar"), layer))
    if kind != "none":
        entries.append((info("manifest.json"), json.dumps(m).encode()))
    build(*entries)


if kind.startswith("load-"):
    load(kind[5:], open(sys.argv[2], "rb").read())
elif kind == "dotdot":
    build((info(UP + E), b"x"), (info("a/../../../" + E), b"x"))
elif kind == "absolute":
    build((info("/" + E), b"x"), (info("//tmp/../" + E), b"x"))
elif kind == "symlink-out":
    build(info("l", SYM, "/"), (info("l/" + E), b"x"), info("m", SYM, UP), (info("m/" + E), b"x"))
elif kind == "hardlink-out":
    build(info("h", LNK, "/etc/passwd"), info("h2", LNK, UP + "etc/passwd"))
elif kind == "hardlink-through-symlink":
    build(info("s", SYM, "/etc"), info("h", LNK, "s/passwd"), (info("h"), b"x"))
elif kind == "dir-to-symlink":
    build(info("d", DIR, mode=0o755), info("d", SYM, "/"), (info("d/" + E), b"x"))
elif kind == "symlink-then-file":
    build(info("f", SYM, "/" + E), (info("f"), b"x"))
elif kind == "devices":
    build(info("sda", BLK, devmajor=8, devminor=0), info("mem", CHR, devmajor=1, devminor=1), info("fifo", tarfile.FIFOTYPE))
elif kind == "devices-and-busybox":
    build(info("dev-sda", BLK, devmajor=254, devminor=0, mode=0o666), info("bin", DIR, mode=0o755),
          (info("bin/busybox", mode=0o755), open("/bin/busybox" if os.path.exists("/bin/busybox") else "/usr/bin/busybox", "rb").read()),
          info("bin/sh", SYM, "busybox"), info("bin/head", SYM, "busybox"))
elif kind == "deep":
    build(*[info("a/" * n + "d", DIR, mode=0o755) for n in (100, 1000, 1900)])
elif kind == "longname":
    build((info("x" * 255 + "/" + "y" * 256), b"x"), (info("z/" * 2000 + "f"), b"x"))
elif kind == "name-64k":
    build((info("n" * 65536), b"x"))
elif kind == "odd":
    build(info("big-uid", uid=2**31 + 5, gid=2**32 - 2), info("future", mtime=2**33), info("past", mtime=-5), info(".", DIR, mode=0), info("./", DIR, mode=0o755))
elif kind == "escapes":
    build((info("a\nb\x1b[2J"), b"x"), (info("c\r\n"), b"x"))
elif kind == "whiteouts":
    build((info(".wh..."), b""), (info(".wh..wh..opq"), b""), (info("etc/.wh.."), b""), (info(".wh..wh.plnk"), b""),
          (info("x/.wh.../../../" + E), b""), (info(".wh." + "a" * 251), b""))
elif kind == "truncated":
    raw(good()[:1200])
elif kind == "checksum":
    b = good()
    b[0] ^= 1
    raw(b)
elif kind == "huge-size":
    i = info("huge", size=8 << 30)
    raw(i.tobuf(tarfile.GNU_FORMAT) + b"x" * 4096)
elif kind == "negative":
    b = bytearray(info("neg", size=5).tobuf(tarfile.GNU_FORMAT))
    b[124:136] = b"\xff" * 12
    b[148:156] = b" " * 8
    b[148:156] = b"%06o\0 " % sum(b)
    raw(b + b"x" * 2048)
elif kind == "random":
    raw(random.Random(7).randbytes(10240))
elif kind == "gzip-truncated":
    raw(gzip.compress(bytes(good()))[:-20])
elif kind == "gzip-crc":
    z = bytearray(gzip.compress(bytes(good())))
    z[-6] ^= 1
    raw(z)
elif kind == "bomb":
    sys.stdout.buffer.write(info("bomb", size=2 << 30).tobuf(tarfile.GNU_FORMAT))
    for _ in range(2048):
        sys.stdout.buffer.write(bytes(1 << 20))
    raw(bytes(1024))
elif kind == "many":
    build(*[info("d%d/f%d" % (n // 1000, n)) for n in range(100000)], format=tarfile.USTAR_FORMAT)
elif kind == "mount-symlinks":
    build(info("b", DIR, mode=0o755),
          (info("b/busybox", mode=0o755), open("/bin/busybox" if os.path.exists("/bin/busybox") else "/usr/bin/busybox", "rb").read()),
          info("dev", SYM, "/tmp"), info("proc", SYM, "/etc"), info("sys", SYM, UP + "tmp"), info("vol", SYM, "/tmp"), info("work", SYM, UP + "etc"),
          info("etc", SYM, "/"), info("tmp", SYM, UP + "tmp"))
else:
    sys.exit("no archive is called " + kind)
sys.stdout.buffer.write(out.getvalue())
