"""Clients of GET /events that go on after the last event they have seen, however often their connection or the answering role dies.
Usage: events.py ADDRESS CERTS CLIENTS OUT: until an event of the volume "the-end" comes, each writes OUT.<n>, one "timeNano Type Action ID" a line."""
import http.client, json, ssl, sys, threading, time

address, certs, clients, out = sys.argv[1:5]
tls = ssl.create_default_context(cafile=certs + "/ca.pem")
tls.load_cert_chain(certs + "/cert.pem", certs + "/key.pem")
begin = time.time_ns()


def listen(last, write):
    """One connection. The time of the last event, and whether it was the end."""
    c = http.client.HTTPSConnection(address, context=tls, timeout=20)
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
        if e["Actor"]["ID"] == "the-end":
            return last, True


def client(n):
    last, over = begin, False
    with open("%s.%d" % (out, n), "w", buffering=1) as f:
        open("%s.%d.ready" % (out, n), "w").close()
        while not over:
            try:
                last, over = listen(last, f.write)
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)


threads = [threading.Thread(target=client, args=(n,)) for n in range(int(clients))]
for t in threads:
    t.start()
for t in threads:
    t.join()
