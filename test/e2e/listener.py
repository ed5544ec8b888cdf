"""What logs are sent to: listens on ADDRESS PORT, writes what comes to OUT as it is, and OUT.ready when it listens.
Usage: listener.py udp|tcp|mute ADDRESS PORT OUT; mute accepts and never reads."""
import socket, sys, threading, time

kind, address, port, out = sys.argv[1:5]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if kind == "mute":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.bind((address, int(port)))
f = open(out, "ab", buffering=0)


def read(c):
    with c:
        while True:
            data = c.recv(65536)
            if not data:
                return
            f.write(data)


if kind == "udp":
    open(out + ".ready", "w").close()
    while True:
        f.write(s.recv(65536) + b"\0")
s.listen(8)
open(out + ".ready", "w").close()
kept = []
while True:
    c, _ = s.accept()
    kept.append(c)
    if kind != "mute":
        threading.Thread(target=read, args=(c,), daemon=True).start()
