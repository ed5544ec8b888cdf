"""Sends raw bytes to a unix socket and says what came back: the statuses of all answers, then `closed` or `open`.

Usage: raw.py SOCKET BYTES [timeout]; BYTES with Python's escapes; "@FILE" reads them; "N*TEXT|" repeats TEXT. `open`: nothing more
came for so long; on a slow machine (E2E_SLOW) longer, above all for the first answer."""
import os
import re
import socket
import sys

path, text = sys.argv[1], sys.argv[2]
timeout = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
slow = int(os.environ.get("E2E_SLOW", "1"))
if text.startswith("@"):
    data = open(text[1:], "rb").read()
else:
    data = text.encode("latin-1").decode("unicode_escape").encode("latin-1")
    data = re.sub(rb"<(\d+)\*([^>]*)>", lambda m: m.group(2) * int(m.group(1)), data)

s = socket.socket(socket.AF_UNIX)
s.connect(path)
s.settimeout(timeout * slow)
got, state = b"", "open"
try:
    s.sendall(data)
except OSError:                                           # refused in the middle; the answer may be there already
    pass
try:
    while True:
        piece = s.recv(65536)
        if not piece:
            state = "closed"
            break
        got += piece
        s.settimeout(timeout * max(1, slow / 4))
except socket.timeout:
    pass
except OSError:
    state = "closed"
print(" ".join(m.decode() for m in re.findall(rb"HTTP/1\.[01] (\d\d\d)", got)), state)
