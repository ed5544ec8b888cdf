# Hostile requests. H: HTTP, J: JSON and names (ids as in the reliability list).

PING='GET /_ping HTTP/1.1\r\nHost: x\r\n'

test_h00_a_good_request_is_answered() { is "$(raw "$PING\r\n")" "200 open"; }

test_h01_length_and_chunked_together() {
	is "$(raw 'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /_ping HTTP/1.1\r\nHost: x\r\n\r\n')" "400 closed"
}

test_h02_two_lengths() { is "$(raw 'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde')" "400 closed"; }

test_h03_bad_lengths() {
	for n in +2 -1 18446744073709551618 0x10 2,2 '2 2' ''; do
		is "$(raw "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: $n\r\n\r\nab")" "400 closed" "length '$n'"
	done
}

test_h04_other_codings() {
	is "$(raw 'POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n')" "501 closed"
	is "$(raw 'POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n')" "501 closed"
}

test_h05_to_h08_bad_header_lines() {
	is "$(raw 'GET /_ping HTTP/1.1\r\nHost : x\r\n\r\n')" "400 closed" "blank before colon"
	is "$(raw 'GET /_ping HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n')" "400 closed" "folded line"
	is "$(raw 'GET /_ping HTTP/1.1\nHost: x\n\n')" "400 closed" "bare LF"
	is "$(raw 'GET /_ping HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n')" "400 closed" "bare CR"
	is "$(raw 'GET /_ping HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n')" "400 closed" "NUL"
}

test_h09_to_h11_too_much() {
	is "$(raw "$PING"'A: <2000000*a>\r\n\r\n')" "431 closed" "2 MB header"
	is "$(raw "$PING"'<10000*A: b\r\n>\r\n')" "431 closed" "10,000 headers"
	is "$(raw 'GET /<1000000*a> HTTP/1.1\r\nHost: x\r\n\r\n')" "414 closed" "1 MB target"
}

test_h12_hosts() {
	is "$(raw 'GET /_ping HTTP/1.1\r\n\r\n')" "400 closed" "no Host"
	is "$(raw 'GET /_ping HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n')" "400 closed" "two Hosts"
}

test_h13_other_versions() {
	is "$(raw 'GET /_ping\r\n')" "400 closed"
	is "$(raw 'GET /_ping HTTP/9.9\r\nHost: x\r\n\r\n')" "505 closed"
	is "$(raw 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')" "400 closed"
}

test_h14_methods() {
	has "405 400" "$(raw 'BREW /_ping HTTP/1.1\r\nHost: x\r\n\r\n' | cut -d' ' -f1)"
	has "405 400" "$(raw 'get /_ping HTTP/1.1\r\nHost: x\r\n\r\n' | cut -d' ' -f1)"
}

test_h15_paths() {
	for path in /../_ping //_ping /containers/%2e%2e%2f/json /containers/%00/json /containers/%zz/json '/containers/a%2fb/json'; do
		case $(raw "GET $path HTTP/1.1\r\nHost: x\r\n\r\n") in 40[04]*) ;; *) fail "$path: $(raw "GET $path HTTP/1.1\r\nHost: x\r\n\r\n")" ;; esac
	done
}

test_h16_bad_chunks() {
	local head='POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
	for body in '-1\r\nab\r\n' '10000000000000002\r\nab\r\n' '2\r\nabX0\r\n\r\n' 'zz\r\n' '<100000*1>\r\n' '2;<100000*x>\r\nab\r\n0\r\n\r\n'; do
		is "$(raw "$head$body")" "400 closed" "chunk $body"
	done
}

test_h17_a_body_that_does_not_come() {
	local before
	before=$(docker ps -aq | wc -l)
	raw 'POST /containers/create?name=half HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"Image":"busybox"' 0.3 >/dev/null
	is "$(docker ps -aq | wc -l)" "$before"
}

test_h18_pipelined_requests_are_answered_in_order() {
	is "$(raw "$PING\r\n${PING}\r\nGET /nope HTTP/1.1\r\nHost: x\r\n\r\n")" "200 200 404 open"
	is "$(raw "<100*$PING\r\n>" 2 | tr ' ' '\n' | grep -c 200)" 100
}

# limit test_h19_slow_clients_are_dropped_and_harm_nobody 60
test_h19_slow_clients_are_dropped_and_harm_nobody() {
	python3 - $DOCKER_ADDR <<'END'
import os, socket, sys, time
host, port = sys.argv[1].split(":")
slow = []
for i in range(200):
    s = socket.create_connection((host, int(port)))
    slow.append(s)
start = time.time()
closed = 0
while time.time() - start < 25 * int(os.environ.get("E2E_SLOW", "1")) and closed < len(slow):
    closed = 0
    for s in slow:
        try:
            s.setblocking(False)
            if s.recv(1) == b"":
                closed += 1
        except BlockingIOError:
            try:
                s.send(b"\x16"[:1]) if time.time() - start < 1 else None
            except OSError:
                pass
        except OSError:
            closed += 1
    time.sleep(0.5)
took = time.time() - start
print("closed %d of %d after %.0f s" % (closed, len(slow), took))
sys.exit(closed != len(slow))
END
	local from=$(date +%s%N)
	exits 0 curl_as me -o /dev/null "https://$DOCKER_ADDR/_ping"
	[ $((($(date +%s%N) - from) / 1000000)) -lt $((1500 * ${E2E_SLOW:-1})) ]
}

test_h21_other_upgrades() {
	is "$(raw "${PING}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n" | cut -d' ' -f1)" 200
	is "$(raw 'POST /containers/nope/attach?stream=1 HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n' | cut -d' ' -f1)" 404
}

# --- JSON ------------------------------------------------------------------------------------------------

create() { # STATUS PART JSON [NAME]
	printf %s "$3" >"$TMP/request"
	api_refused "$1" "$2" POST "/containers/create${4:+?name=$4}" --data-binary "@$TMP/request"
}

test_j01_not_json() {
	for body in '' '{' 'nonsense' '[]' '"x"' '42' '{"Image":}' '{"Image":"busybox",}'; do
		create 400 "" "$body"
	done
	create 400 Cmd '{"Image":"busybox","Cmd":5}'
	create 400 Env '{"Image":"busybox","Env":{"A":"b"}}'
	create 400 Memory '{"Image":"busybox","HostConfig":{"Memory":"lots"}}'
}

test_j02_trailing_bytes() { create 400 "" '{"Image":"busybox"}{"Image":"busybox"}'; create 400 "" '{"Image":"busybox"} x'; }

test_j03_duplicates_and_other_case() {
	create 404 nosuch2 '{"Image":"busybox","image":"nosuch2"}'
}

test_j04_depth() {
	python3 -c 'print("[" * 100000 + "]" * 100000)' >"$TMP/deep"
	api_refused 400 "" POST /containers/create --data-binary "@$TMP/deep"
	python3 -c 'print("{\"a\":" * 9000 + "1" + "}" * 9000)' >"$TMP/deep"
	api_refused 400 "" POST /containers/create --data-binary "@$TMP/deep"
}

test_j05_bad_text() {
	printf '{"Image":"busy\xffbox"}' >"$TMP/bad"
	api_refused 400 "" POST /containers/create --data-binary "@$TMP/bad"
	create 400 "" '{"Image":"busy\ud800box"}'
	create 400 "" '{"Image":"busy\u0000box"}'
}

test_j06_nul_and_null() {
	create 400 "" '{"Image":"busybox","Env":["A=\u0000"]}'
	create 400 "" '{"Image":"busybox","Cmd":["a\u0000b"]}'
}

test_j07_numbers_out_of_range() {
	create 400 "" '{"Image":"busybox","HostConfig":{"Memory":1}}'
	create 400 "" '{"Image":"busybox","HostConfig":{"Memory":-1}}'
	create 400 "" '{"Image":"busybox","HostConfig":{"Memory":1e30}}'
	create 400 "" '{"Image":"busybox","HostConfig":{"CpuShares":-5}}'
	create 400 "" '{"Image":"busybox","HostConfig":{"NanoCpus":-5}}'
	create 400 "" '{"Image":"busybox","HostConfig":{"PidsLimit":-7}}'
	create 400 "" '{"Image":"busybox","HostConfig":{"ShmSize":-7}}'
	create 400 "" '{"Image":"busybox","HostConfig":{"Memory":99999999999999999999}}'
}

test_j08_hostnames() {
	create 400 hostname '{"Image":"busybox","Hostname":"a/b"}'
	create 400 hostname "{\"Image\":\"busybox\",\"Hostname\":\"$(printf 'a%.0s' {1..300})\"}"
}

test_j09_users_and_directories() {
	create 400 directory '{"Image":"busybox","WorkingDir":"../../etc"}'
	refused "" docker run --rm -u 99999999999 busybox true
}

test_j10_too_much() {
	python3 -c 'import json; print(json.dumps({"Image": "busybox", "Cmd": ["x" * (20 << 20)]}))' >"$TMP/big"
	api_refused 413 "" POST /containers/create --data-binary "@$TMP/big"
	python3 -c 'import json; print(json.dumps({"Image": "busybox", "Env": ["A%d=x" % i for i in range(100000)]}))' >"$TMP/big"
	api_refused 400 Env POST /containers/create --data-binary "@$TMP/big"
	python3 -c 'import json; print(json.dumps({"Image": "busybox", "Labels": {"a": "x" * (3 << 20)}}))' >"$TMP/big"
	api_refused 400 Labels POST /containers/create --data-binary "@$TMP/big"
}

test_j11_names() {
	for name in a%2fb .. -x a%20b a%0d%0ab %ff%fe %c3%bc a%00b _x "$(printf 'a%.0s' {1..300})"; do
		create 400 "" '{"Image":"busybox"}' "$name"
	done
}

test_j12_ports() {
	for port in 70000/tcp 0/tcp 80/xyz -1/tcp x/tcp 80-70/tcp; do
		create 400 "" "{\"Image\":\"busybox\",\"ExposedPorts\":{\"$port\":{}},\"HostConfig\":{\"PortBindings\":{\"$port\":[{\"HostPort\":\"8080\"}]}}}"
	done
	create 400 "" '{"Image":"busybox","HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"70000"}]}}}'
}

test_j13_filters() {
	for filter in '{' '[]' '"x"' '{"nosuch":["x"]}' '{"status":["nosuch"]}' '{"status":5}'; do
		api_refused 400 "" GET "/containers/json?filters=$(jq -rn --arg f "$filter" '$f | @uri')"
	done
}

test_j14_numbers_in_queries() {
	api_refused 400 "" GET '/containers/json?limit=100000000000000000000'
	docker create --name qq busybox >/dev/null
	api_refused 400 "" GET '/containers/qq/logs?stdout=1&since=soon'
	api_refused 400 "" POST '/containers/qq/stop?t=soon'
	api_refused 400 "" GET '/containers/qq/logs'
	docker rm qq >/dev/null
}

# J16: random changes of a good request; nothing may answer 5xx or crash
test_j16_mutations() {
	local api_pid
	api_pid=$(role_pid api)
	python3 - "$RUN/docker.sock" <<'END'
import http.client, json, random, socket, sys
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])
seed = random.randrange(1 << 32)
rnd = random.Random(seed)
good = json.dumps({"Image": "nosuch-image", "Cmd": ["a", "b"], "Env": ["A=b"], "Labels": {"a": "b"}, "ExposedPorts": {"80/tcp": {}}, "Tty": True,
    "HostConfig": {"Memory": 64000000, "Binds": ["v:/v"], "PortBindings": {"80/tcp": [{"HostPort": "80"}]}, "RestartPolicy": {"Name": "no"},
    "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}], "Mounts": [{"Type": "volume", "Source": "x", "Target": "/y"}]},
    "NetworkingConfig": {"EndpointsConfig": {"bridge": {"Aliases": ["x"]}}}}).encode()
c = Unix("localhost")
for i in range(1500):
    b = bytearray(good)
    for _ in range(rnd.randrange(1, 6)):
        at = rnd.randrange(len(b))
        what = rnd.randrange(4)
        if what == 0:
            b[at] = rnd.randrange(256)
        elif what == 1:
            del b[at:at + rnd.randrange(1, 20)]
        elif what == 2:
            b[at:at] = bytes(rnd.choice(b'{}[]",:0123456789.eE-\\u') for _ in range(rnd.randrange(1, 5)))
        else:
            end = min(len(b), at + rnd.randrange(1, 40))
            b[at:at] = b[at:end]
    c.request("POST", "/containers/create", bytes(b), {"Content-Type": "application/json"})
    r = c.getresponse()
    r.read()
    if r.status >= 500 and r.status != 501:
        print("seed %d, request %d: status %d for %r" % (seed, i, r.status, bytes(b)))
        sys.exit(1)
END
	is "$(role_pid api)" "$api_pid" "the api process"
}

test_j17_dead_and_foreign_ids() {
	docker run --name dead busybox true
	local path
	for path in "POST /containers/dead/exec" "POST /containers/dead/resize?h=1&w=1"; do
		has "409 404 400" "$(api_status ${path% *} "${path#* }" -d '{"Cmd":["true"]}')"
	done
	has "404" "$(api_status POST /exec/0123456789012345678901234567890123456789012345678901234567890123/start -d '{}')"
	has "404" "$(api_status GET /exec/zz/json)"
	local id
	docker start dead >/dev/null
	docker run -d --name goes busybox sleep 100 >/dev/null
	id=$(api POST /containers/goes/exec -d '{"Cmd":["true"]}' | jq -r .Id)
	docker rm -f goes dead >/dev/null
	has "404 409" "$(api_status POST "/exec/$id/start" -d '{"Detach":true}')"
}

test_j18_many_clients_and_one_container() {
	docker create --name contested busybox sleep 1000 >/dev/null
	local i verb
	for i in $(seq 12); do
		for verb in start stop?t=0 kill restart?t=0 pause unpause; do
			api_status POST "/containers/contested/$verb" -o /dev/null >>"$TMP/codes" &
		done
	done
	wait
	sed 's/.../&\n/g' "$TMP/codes" | sort | uniq -c >"$TMP/summary"
	if grep -q ' 5..$' "$TMP/summary"; then cat "$TMP/summary"; fail "5xx"; fi
	api_status POST /containers/contested/unpause >/dev/null
	exits 0 docker rm -f contested
}

# A start that a stop overtakes is answered, whoever wins.
test_starts_and_stops_at_once_are_all_answered() {
	docker create --name race busybox sleep 1000 >/dev/null
	local i
	for i in $(seq 30); do
		{ timeout 15 docker start race >/dev/null 2>&1 || [ $? != 124 ] || echo "start hangs" >>"$TMP/hangs"; } &
		{ timeout 15 docker stop -t 0 race >/dev/null 2>&1 || [ $? != 124 ] || echo "stop hangs" >>"$TMP/hangs"; } &
	done
	wait
	[ ! -e "$TMP/hangs" ] || fail "$(sort "$TMP/hangs" | uniq -c)"
	docker rm -f race >/dev/null
}
