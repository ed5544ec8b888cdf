"""Clients of GET /events that go on after the last event they have seen, however often their connection or the answering role dies.
Usage: events.py ADDRESS CERTS CLIENTS OUT: until an event of the volume "the-end" comes, each writes OUT.<n>, one "timeNano Type Action ID" a line.
       events.py --sockets OUT END SOCKET...: the same with a client for each unix socket, from the oldest event there is to the volume END."""
import http.client, json, socket, ssl, sys, threading, time


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("unix", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


if sys.argv[1] == "--sockets":
    out, end, sockets, begin = sys.argv[2], sys.argv[3], sys.argv[4:], 0
    clients = len(sockets)
    connection = lambda n: Unix(sockets[n])
else:
    address, certs, clients, out = sys.argv[1:5]
    tls = ssl.create_default_context(cafile=certs + "/ca.pem")
    tls.load_cert_chain(certs + "/cert.pem", certs + "/key.pem")
    begin, end = time.time_ns(), "the-end"
    connection = lambda n: http.client.HTTPSConnection(address, context=tls, timeout=20)


def listen(n, last, write):
    """One connection. The time of the last event, and whether it was the end."""
    c = connection(n)
    c.request("GET", "/events?since=%d.%09d" % ((last + 1) // 10**9, (last + 1) % 10**9))
    answer = c.getresponse()
    if answer.status != 200:
        raise OSError(answer.status)
    while True:
        try:
            line = answer.readline()
            if not line.endswith(b"\n"):
                return last, False
            e = json.loads(line)
        except (OSError, http.client.HTTPException, ValueError):
            return last, False
        write("%d %s %s %s\n" % (e["timeNano"], e["Type"], e["Action"], e["Actor"]["ID"]))
        last = e["timeNano"]
        if e["Actor"]["ID"] == end:
            return last, True


def client(n):
    last, over = begin, False
    with open("%s.%d" % (out, n), "w", buffering=1) as f:
        open("%s.%d.ready" % (out, n), "w").close()
        while not over:
            try:
                last, over = listen(n, last, f.write)
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)


threads = [threading.Thread(target=client, args=(n,)) for n in range(int(clients))]
for t in threads:
    t.start()
for t in threads:
    t.join()
