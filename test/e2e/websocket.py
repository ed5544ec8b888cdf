"""A WebSocket client of the API, with a client certificate, by the book of RFC 6455.

websocket.py HOST:PORT CERTS PATH SAY [HEADER...]     prints "STATUS" alone when it is no 101; else what came, then "-- CODE" of the close
SAY: text to send in two fragments with a ping between them (the pong must come back); "": nothing; "!nonsense": a frame without a
mask; "!bye": a close at once."""
import base64
import hashlib
import os
import socket
import ssl
import struct
import sys

address, certs, path, say = sys.argv[1:5]
host, port = address.split(":")
context = ssl.create_default_context(cafile=certs + "/ca.pem")
context.check_hostname = False
context.load_cert_chain(certs + "/cert.pem", certs + "/key.pem")
s = context.wrap_socket(socket.create_connection((host, int(port)), timeout=20))
key = base64.b64encode(os.urandom(16)).decode()


def frame(op, data, fin=True, masked=True):
    mask = os.urandom(4)
    n = len(data)
    head = bytes([(0x80 if fin else 0) | op]) + (bytes([0x80 * masked | n]) if n < 126 else bytes([0x80 * masked | 126]) + struct.pack(">H", n))
    return head + (mask + bytes(b ^ mask[i & 3] for i, b in enumerate(data)) if masked else data)


text = say.encode()
first = b""
if say == "!nonsense":
    first = frame(2, b"abc", masked=False)
elif say == "!bye":
    first = frame(8, struct.pack(">H", 1000))
elif say:
    first = frame(1, text[:3], fin=False) + frame(9, b"are you there") + frame(0, text[3:])
headers = {"Host": address, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
headers.update(h.split(": ", 1) for h in sys.argv[5:])
s.sendall(("GET %s HTTP/1.1\r\n%s\r\n" % (path, "".join("%s: %s\r\n" % h for h in headers.items()))).encode() + first)
got = s.makefile("rb")
status = got.readline().decode().split()[1]
answer = {}
while True:
    line = got.readline().decode().strip()
    if not line:
        break
    name, _, value = line.partition(": ")
    answer[name.lower()] = value
if status != "101":
    print(status)
    sys.exit(0)
want = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
assert answer["sec-websocket-accept"] == want, answer
pongs, code, end = 0, "none", b""
while True:
    head = got.read(2)
    if len(head) < 2:
        break
    n = head[1]
    if n == 126:
        n = struct.unpack(">H", got.read(2))[0]
    elif n == 127:
        n = struct.unpack(">Q", got.read(8))[0]
    data = got.read(n)
    op = head[0] & 15
    if op == 10:
        assert data == b"are you there"
        pongs += 1
    elif op == 8:
        code = struct.unpack(">H", data[:2])[0]
        if say != "!bye":
            s.sendall(frame(8, data))
    else:
        end += data
        if len(end) < 10000:
            sys.stdout.write(data.decode())
            sys.stdout.flush()
if len(end) >= 10000:
    print("\n%d" % len(end), hashlib.sha256(end).hexdigest())
if say and say[0] != "!":
    assert pongs == 1, pongs
print("--", code)
