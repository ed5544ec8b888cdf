# Log drivers besides json-file: local, and those that send: syslog, gelf, fluentd.

listen() { # KIND PORT: what comes is in $TMP/got.PORT; its pid in $listener
	nsenter --net="/run/netns/$OUT" -- python3 test/e2e/listener.py "$1" 192.0.2.2 "$2" "$TMP/got.$2" >/dev/null 2>&1 &
	listener=$!
	wait_for 10 test -e "$TMP/got.$2.ready"
}

deaf() { kill "$listener"; wait "$listener" 2>/dev/null || true; rm -f "$TMP"/got.*.ready; }
came() { grep -aq -- "$2" "$TMP/got.$1"; }             # PORT PART

test_local() {
	docker run --name loc --log-driver local --log-opt max-size=10k --log-opt max-file=2 --log-opt compress=true busybox \
		sh -c 'for i in $(seq 2000); do echo line $i of many; done; echo bad >&2' >/dev/null 2>&1
	is "$(inspect loc '{{.HostConfig.LogConfig.Type}}')" local
	is "$(docker logs --tail 2 loc 2>/dev/null)" "line 2000 of many"
	is "$(docker logs loc 2>&1 >/dev/null)" bad
	[ "$(docker logs loc | wc -c)" -lt 21000 ]
	has "$(docker info -f '{{.Plugins.Log}}')" "syslog"
	refused "no log driver named 'journald'" docker create --log-driver journald busybox
	refused "unknown log opt 'nosuch'" docker create --log-driver local --log-opt nosuch=1 busybox
	refused "needs its syslog-address" docker create --log-driver syslog busybox
	refused "unix:// is not supported" docker create --log-driver syslog --log-opt syslog-address=unix:///dev/log busybox
	docker rm loc >/dev/null
}

test_syslog() {
	listen udp 5514
	docker run --name sys --log-driver syslog --log-opt syslog-address=udp://192.0.2.2:5514 --log-opt tag='{{.Name}}' --log-opt syslog-facility=local0 \
		busybox sh -c 'echo to syslog; echo bad >&2' >/dev/null 2>&1
	wait_for 10 came 5514 '^<134>... .. ..:..:.. sys\[[0-9]*\]: to syslog$'
	wait_for 10 came 5514 '<131>.*: bad$'
	is "$(docker logs sys 2>/dev/null)" "to syslog"
	deaf
	docker rm sys >/dev/null
}

test_gelf() {
	listen udp 12201
	docker run --name gel --log-driver gelf --log-opt gelf-address=udp://192.0.2.2:12201 busybox \
		sh -c 'echo to gelf; head -c 5000 /dev/zero | tr "\0" x; echo' >/dev/null
	wait_for 10 came 12201 '"short_message":"to gelf"'
	is "$(tr '\0' '\n' <"$TMP/got.12201" | grep -a '"to gelf"' | jq -c '[._container_name, ._image_name, .level, ._container_id]')" \
		"[\"gel\",\"busybox\",6,\"$(inspect gel '{{.Id}}')\"]"
	wait_for 10 eval '[ "$(grep -ao xxxx "$TMP/got.12201" | wc -l)" -ge 1240 ]'       # in chunks
	deaf
	docker rm gel >/dev/null
}

# Over TCP nothing is lost while the other side is away for a moment, nor when the node role dies; nothing comes twice.
# limit test_fluentd 120
test_fluentd() {
	local n
	listen tcp 24224
	docker run -d --name flu --log-driver fluentd --log-opt fluentd-address=192.0.2.2:24224 --log-opt tag=mine busybox \
		sh -c 'mkfifo /tmp/in; while :; do cat /tmp/in; done' >/dev/null
	wait_for 10 docker exec flu test -p /tmp/in
	docker exec flu sh -c 'echo "line 1." >/tmp/in'
	wait_for 20 came 24224 'line 1\.'
	came 24224 mine
	kill -KILL "$(role_pid node)"
	wait_for 20 docker exec flu sh -c 'echo "line 2." >/tmp/in'
	wait_for 30 came 24224 'line 2\.'
	deaf
	docker exec flu sh -c 'echo "line 3." >/tmp/in'
	listen tcp 24224
	docker exec flu sh -c 'echo "line 4." >/tmp/in'
	wait_for 30 came 24224 'line 4\.'
	for n in 1 2 3 4; do is "$(grep -ao "line $n\." "$TMP/got.24224" | wc -l)" 1 "line $n"; done
	deaf
	docker rm -f flu >/dev/null
}

# A container never waits for who gets its log: one that does not read, one that is not there. And this machine itself is nobody's target.
test_a_listener_that_does_not_read_holds_up_nobody() {
	listen mute 6514
	timeout 30 docker run --name mute --log-driver syslog --log-opt syslog-address=tcp://192.0.2.2:6514 busybox \
		sh -c 'head -c 4000000 /dev/zero | tr "\0" "\n"; echo the end' >/dev/null
	is "$(docker logs --tail 1 mute)" "the end"
	timeout 10 docker run --rm --log-driver fluentd --log-opt fluentd-address=192.0.2.2:9 busybox echo x >/dev/null
	timeout 10 docker run --rm --log-driver fluentd --log-opt fluentd-address=127.0.0.1:9 busybox echo x >/dev/null
	timeout 10 docker run --rm --log-driver syslog --log-opt syslog-address=udp://no.such.host.invalid busybox echo x >/dev/null
	deaf
	docker rm mute >/dev/null
}
