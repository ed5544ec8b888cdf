# Hostile TLS and signatures: rows H20, H23, H24, H25 and H27 of the reliability list.

anonymous() { curl -sS -m 10 --cacert "$DOCKER_CERT_PATH/ca.pem" -o /dev/null -w '%{http_code}' "$@" "https://$DOCKER_ADDR/info" 2>/dev/null || true; }
alive() { is "$(api_status GET /_ping)" 200 "a good client"; }

# limit test_h20_many_idle_connections 60
test_h20_many_idle_connections() {
	local pid before
	pid=$(role_pid api)
	before=$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")
	python3 - "$DOCKER_ADDR" "$pid" "$before" <<'END'
import re, socket, ssl, sys, urllib.request
host, port = sys.argv[1].split(":")
pid, before = sys.argv[2], int(sys.argv[3])
context = ssl._create_unverified_context()
open_ones, refused = [], 0
for i in range(1100):                                     # more than one address may have
    s = socket.socket()
    s.settimeout(10)
    try:
        s.connect((host, int(port)))
        open_ones.append(context.wrap_socket(s) if i % 10 == 0 else s)
    except OSError:
        refused += 1
last = socket.create_connection((host, int(port)))
last.settimeout(10)
try:
    tls = context.wrap_socket(last)                       # a few are told
    tls.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
    said = tls.recv(4096)
    got = "served" if said and b" 503 " not in said.split(b"\r\n")[0] else "refused"
except OSError:
    got = "refused"
rss = int(re.search(r"VmRSS:\s+(\d+)", open("/proc/%s/status" % pid).read()).group(1))
print("%d open, the next one %s, RSS %d -> %d KiB" % (len(open_ones), got, before, rss))
sys.exit(got != "refused" or rss - before > 64 * 1024)
END
	wait_for 20 alive
	is "$(role_pid api)" "$pid" "api"
}

test_h23_certificates_that_are_nobodys() {
	local ca="-CA $TMP/ca.pem -CAkey $TMP/ca.key -CAcreateserial" name
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$TMP/ca.key" -out "$TMP/ca.pem" -subj /CN=other -days 2 2>/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$TMP/k.pem" -out "$TMP/k.csr" -subj /CN=me 2>/dev/null
	openssl x509 -req -in "$TMP/k.csr" $ca -days 2 -out "$TMP/foreign.pem" 2>/dev/null
	openssl x509 -req -in "$TMP/k.csr" $ca -days -1 -out "$TMP/expired.pem" 2>/dev/null
	openssl x509 -req -in "$TMP/k.csr" $ca -days 2 -extfile <(echo extendedKeyUsage=serverAuth) -out "$TMP/usage.pem" 2>/dev/null
	openssl x509 -req -in "$TMP/k.csr" -signkey "$TMP/k.pem" -days 2 -out "$TMP/self.pem" 2>/dev/null
	openssl x509 -req -in "$TMP/k.csr" $ca -days 2 -extfile <(echo "nsComment=$(head -c 65000 /dev/zero | tr '\0' a)") -out "$TMP/large.pem" 2>/dev/null
	cp "$TMP/foreign.pem" "$TMP/chain.pem"
	for _ in 1 2 3 4 5 6 7 8 9; do cat "$TMP/ca.pem" >>"$TMP/chain.pem"; done
	for name in foreign expired usage self large chain; do
		[ -s "$TMP/$name.pem" ] || fail "no certificate $name"
		case $(anonymous --cert "$TMP/$name.pem" --key "$TMP/k.pem") in 000|401) ;; *) fail "certificate $name was accepted" ;; esac
	done
	alive
}

# limit test_h25_records_in_pieces_and_cut_short 60
test_h25_records_in_pieces_and_cut_short() {
	python3 - "$DOCKER_ADDR" <<'END'
import socket, ssl, sys, time
host, port = sys.argv[1].split(":")
out = ssl.MemoryBIO()
tls = ssl._create_unverified_context().wrap_bio(ssl.MemoryBIO(), out)
try:
    tls.do_handshake()
except ssl.SSLWantReadError:
    pass
hello = out.read()

def ends(data, finish):                                   # is it an alert or a close, and in time?
    s = socket.create_connection((host, int(port)))
    s.settimeout(15)
    try:
        s.sendall(data)
        if finish:
            s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass
    except ConnectionError:
        pass

for n in range(1, len(hello), 7):
    ends(hello[:n], True)
ends(b"\x16\x03\x01\x40\x01" + b"\x01" + b"\0" * 0x4000, True)
ends(b"\x14\x03\x03\x00\x01\x01" * 2, True)               # change cipher spec first
ends(b"\x18\x03\x03\x00\x03\x01\x40\x00", True)           # heartbeat
ends(b"".join(hello[:3] + b"\0\1" + hello[i:i + 1] for i in range(5, len(hello))), True)
start = time.time()
ends(hello[:20], False)
sys.exit(time.time() - start > 14)
END
	alive
}

signed() { # DATE METHOD-AND-PATH HEADERS ALGORITHM KEY-FILE LOGIN PATH: status and body's code and message
	local print text name signature
	print=$(ssh-keygen -l -E md5 -f "$5.pub" | sed 's/.*MD5:\([^ ]*\).*/\1/')
	for name in $3; do
		case $name in date) text+="date: $1"$'\n' ;; *) text+="$name: $2"$'\n' ;; esac
	done
	signature=$(printf %s "${text%$'\n'}" | openssl dgst -sha256 -sign "$5" | base64 -w0)
	curl -sS -m 10 --cacert "$DOCKER_CERT_PATH/ca.pem" -o "$TMP/body" -w '%{http_code} ' -H "Date: $1" -H 'Accept-Version: ~8' \
		-H "Authorization: Signature keyId=\"/$6/keys/$print\",algorithm=\"$4\",headers=\"$3\",signature=\"$signature\"" "https://$CLOUD_ADDR$7"
	jq -r 'if type == "object" then .code, .message else empty end' "$TMP/body" | tr '\n' ' '
}

test_h27_signatures_that_do_not_hold() {
	local now all='date (request-target)' path=/kim/keys same
	now() { LC_ALL=C date -u -d "${1:-now}" '+%a, %d %b %Y %H:%M:%S GMT'; }
	ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f "$TMP/k"
	ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f "$TMP/other"
	"$TRITON" account add kim --key "$TMP/k.pub" --run-dir "$RUN" >/dev/null
	trap '"$TRITON" account rm kim --run-dir "$RUN" >/dev/null; rm -rf "$TMP"' EXIT
	now=$(now)
	has "$(signed "$now" "get $path" "$all" rsa-sha256 "$TMP/k" kim $path)" "200 "
	same=$(signed "$now" "get $path" "$all" rsa-sha256 "$TMP/k" kim $path)
	has "$same" "401 "
	has "$same" "Invalid authorization credentials supplied"
	refuse() { is "$(signed "${@:2}")" "$same" "$1"; }
	refuse "a date of the past" "$(now '-400 seconds')" "get $path" "$all" rsa-sha256 "$TMP/k" kim $path
	refuse "a date to come" "$(now '+400 seconds')" "get $path" "$all" rsa-sha256 "$TMP/k" kim $path
	refuse "another path" "$(now)" "get /kim" "$all" rsa-sha256 "$TMP/k" kim $path
	refuse "another algorithm" "$(now)" "get $path" "$all" rsa-sha512 "$TMP/k" kim $path
	refuse "a key that is not the account's" "$(now)" "get $path" "$all" rsa-sha256 "$TMP/other" kim $path
	refuse "another account" "$(now)" "get $path" "$all" rsa-sha256 "$TMP/k" me $path
	has "$(signed "$(now)" "get $path" "(request-target)" rsa-sha256 "$TMP/k" kim $path)" "401 "
}

# H24: what is refused must be refused by the server: its alert is looked for, and the client must have offered the thing
test_h24_old_versions_and_weak_suites() {
	local suite out tried=0
	tls() { openssl s_client -connect "$DOCKER_ADDR" "$@" </dev/null 2>&1 || true; }
	has "$(tls -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256)" "Cipher    : ECDHE-ECDSA-AES128-GCM-SHA256"
	for v in -tls1 -tls1_1; do
		out=$(tls $v -cipher 'ALL:@SECLEVEL=0')
		has "$out" "Cipher is (NONE)"
		has_not "$out" "has read 0 bytes"         # the server answered, with an alert
		has_not "$out" "written 0 bytes"          # and the client had asked
	done
	for suite in NULL RC4 3DES aNULL AES128-SHA AES256-SHA256 ECDHE-ECDSA-AES128-SHA DHE-RSA-AES128-GCM-SHA256 PSK-AES128-GCM-SHA256; do
		[ "$(openssl ciphers -s -tls1_2 "$suite:@SECLEVEL=0" 2>/dev/null)" ] || continue   # this openssl cannot even ask
		tried=$((tried + 1))
		out=$(tls -tls1_2 -cipher "$suite:@SECLEVEL=0")
		has_not "$out" "Cipher    : $suite"
		has "$out" "alert handshake failure"
	done
	[ $tried -ge 4 ] || fail "only $tried suites were tried"
	out=$( (sleep 0.3; echo R; sleep 0.7) | openssl s_client -connect "$DOCKER_ADDR" -tls1_2 2>&1 || true)
	has "$out" RENEGOTIATING
	has_not "$out" "verify return:1"$'\n'"RENEGOTIATING"$'\n'"depth"
	is "$(curl -sk -o /dev/null -w '%{http_code}' "https://$DOCKER_ADDR/_ping")" 200
}
