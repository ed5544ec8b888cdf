# Events: every one reaches every client, once, in the order of the commits, whatever role dies meanwhile.

again() { until_ok 20 "$@" || fail "not in 20 s: $*"; }
created() { docker create --name "$1" busybox sleep 1000 || docker inspect "$1"; }
started() { docker start "$1" && [ "$(inspect "$1" '{{.State.Running}}')" = true ]; }
removed() { docker rm -f "$1" && ! docker inspect "$1"; }
serves() { docker volume ls; }

role_killed() { # NAME
	kill -KILL "$(role_pid "$1")"
	again serves
}

# limit test_no_event_is_lost_or_doubled_when_roles_die 150
test_no_event_is_lost_or_doubled_when_roles_die() {
	local n listening
	python3 test/e2e/events.py "$DOCKER_ADDR" "$DOCKER_CERT_PATH" 4 "$TMP/seen" &
	listening=$!
	wait_for 10 test -e "$TMP/seen.3.ready"
	for n in 1 2 3 4 5 6 7 8; do
		again created "ev$n"
		case $n in 2 | 5) role_killed api ;; 3 | 7) role_killed state ;; esac
		again started "ev$n"
		inspect "ev$n" '{{.Id}}' >>"$TMP/ids"
		case $n in 4) role_killed api ;; 6) role_killed state ;; esac
		again removed "ev$n"
	done
	again docker volume create the-end
	wait $listening
	for n in 1 2 3; do cmp "$TMP/seen.0" "$TMP/seen.$n"; done
	sort -n -u -c "$TMP/seen.0"                        # by time, no time twice
	while read -r id; do
		is "$(awk -v id="$id" '$4 == id && $3 ~ /^(create|start|die|destroy)$/ { print $3 }' "$TMP/seen.0" | xargs)" "create start die destroy"
	done <"$TMP/ids"
	is "$(wc -l <"$TMP/ids")" 8
	docker volume rm the-end >/dev/null
}

# What Docker tells of though it changes nothing.
test_what_is_done_with_a_container_is_told() {
	local since seen
	since=$(date +%s.%N)
	docker run --name told -v toldvol:/v busybox echo x >/dev/null
	docker run -d --name told2 busybox sleep 1000 >/dev/null
	docker top told2 >/dev/null
	docker cp told2:/etc/passwd - >/dev/null
	docker cp - told2:/tmp <"$E2E/busybox.tar"
	docker export told2 >/dev/null
	api POST "/containers/told2/resize?h=24&w=80"
	docker rm -f told told2 >/dev/null
	docker volume rm toldvol >/dev/null
	seen=$(docker events --since "$since" --until "$(($(date +%s) + 1))" --format '{{.Type}} {{.Action}}' | tr '\n' ',')
	for wanted in "container attach" "volume mount" "volume unmount" "container top" "container archive-path" "container extract-to-dir" \
		"container export" "container resize"; do
		has "$seen" "$wanted,"
	done
	seen=$(docker events --since "$since" --until "$(($(date +%s) + 1))" -f event=mount -f event=extract-to-dir -f event=resize --format '{{json .Actor.Attributes}}')
	has "$seen" '"destination":"/v"'
	has "$seen" '"path":"/tmp"'
	has "$seen" '"width":"80"'
}

test_the_probes_of_a_health_check_are_told() {
	docker run -d --name probed --health-cmd 'exit 3' --health-interval 200ms --health-retries 1 busybox sleep 1000 >/dev/null
	docker events --filter container=probed --since 1m --format '{{.Action}} {{.Actor.Attributes.exitCode}}' >"$TMP/events" &
	wait_for 15 grep -q health_status "$TMP/events"
	kill $!
	has "$(xargs <"$TMP/events")" "exec_create: /bin/sh -c exit 3 <no value> exec_start: /bin/sh -c exit 3 <no value> exec_die 3 health_status: unhealthy"
	docker rm -f probed >/dev/null
}

# The docker CLI takes the keys out of its input itself and hangs up; others leave that to the engine.
test_detach_keys_are_an_event() {
	root_docker image inspect busybox >/dev/null 2>&1 || busybox_tar | root_docker import - busybox >/dev/null
	root_docker run -dit --name det busybox sleep 100 >/dev/null
	upgrade='HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length:'
	is "$(raw "POST /containers/det/attach?stream=1&stdin=1&stdout=1 $upgrade 0\r\n\r\n\x10\x11" 5)" "101 closed"
	exec=$(curl -s --unix-socket "$RUN/docker.sock" -H 'Content-Type: application/json' http://x/containers/det/exec \
		-d '{"AttachStdin":true,"AttachStdout":true,"Tty":true,"DetachKeys":"ctrl-a,x","Cmd":["sleep","100"]}' | jq -r .Id)
	is "$(raw "POST /exec/$exec/start $upgrade 12\r\n\r\n{\"Tty\":true}\x01x" 5)" "101 closed"
	events() { root_docker events --since 0 --until "$(date +%s.%N)" -f container=det -f event=detach -f event=exec_detach \
		--format '{{.Action}} {{index .Actor.Attributes "execID"}}' | xargs; }
	told() { [ "$(events)" = "detach exec_detach $exec" ]; }
	until_ok 5 told || is "$(events)" "detach exec_detach $exec"
	is "$(root_docker inspect -f '{{.State.Running}}' det)" true
	root_docker rm -f det >/dev/null
}
