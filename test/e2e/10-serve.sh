# triton serve: processes and their rights, restarts, the local socket, accounts, logs.

test_each_role_is_a_process_of_its_own_user() {
	local users= name pid
	for name in state node api dns scheduler; do
		pid=$(role_pid $name)
		[ "$pid" ] && [ -d "/proc/$pid" ] || fail "there is no role $name: $(cat "$RUN/roles")"
		is "$(cat "/proc/$pid/comm")" "$(head -c 15 <<<"triton-$name")"      # the kernel keeps 15 bytes
		users+=$(awk '/^Uid:/ {print $2}' "/proc/$pid/status")$'\n'
	done
	is "$(printf %s "$users" | sort | uniq -d)" "" "users of two roles"
}

test_roles_that_parse_have_no_rights() {
	local name pid
	for name in state api dns scheduler; do
		pid=$(role_pid $name)
		is "$(awk '/^CapEff:/ {print $2}' "/proc/$pid/status")" 0000000000000000 "capabilities of $name"
		is "$(awk '/^Seccomp:/ {print $2}' "/proc/$pid/status")" 2 "seccomp of $name"
		is "$(awk '/^NoNewPrivs:/ {print $2}' "/proc/$pid/status")" 1 "no_new_privs of $name"
	done
	is "$(ls -A "/proc/$(role_pid api)/root/")" "" "what api sees of the file system"
}

test_no_role_holds_another_ones_sockets() {
	local listening
	listening=$(ss -Hltnp "sport = :23760" 2>/dev/null || true)
	has "$listening" triton-api
	has_not "$listening" triton-state
	has_not "$listening" triton-node
	for name in state node dns scheduler; do
		[ "$(ls "/proc/$(role_pid $name)/fd" | wc -l)" -lt 60 ] || fail "$name holds $(ls "/proc/$(role_pid $name)/fd" | wc -l) descriptors"
	done
}

# limit test_kill_9_of_any_role_is_repaired_within_a_second 60
test_kill_9_of_any_role_is_repaired_within_a_second() {
	local name old pid
	docker run -d --name steady busybox sh -c 'while :; do date +%s%N; sleep 0.05; done' >/dev/null
	pid=$(inspect steady '{{.State.Pid}}')
	for name in api state node dns scheduler; do
		old=$(role_pid $name)
		kill -KILL "$old"
		back() { [ "$(role_pid $name)" != "$old" ] && [ "$(role_pid $name)" != 0 ] && [ -d "/proc/$(role_pid $name)" ]; }
		wait_for 20 back
		wait_for 20 docker ps
		is "$(inspect steady '{{.State.Pid}} {{.State.Running}}')" "$pid true" "the container after kill -9 of $name"
		exits 0 run true
	done
	docker rm -f steady >/dev/null
}

# limit test_containers_live_on_while_serve_is_down 60
test_containers_live_on_while_serve_is_down() {
	docker run -d --name counter busybox sh -c 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done' >/dev/null
	docker run -d --name quits busybox sh -c 'sleep 1; exit 7' >/dev/null
	serve_stop TERM
	sleep 1.5
	serve_start
	is "$(inspect quits '{{.State.Status}} {{.State.ExitCode}}')" "exited 7"
	is "$(inspect counter '{{.State.Running}}')" true
	docker stop -t 0 counter >/dev/null
	docker logs counter >"$TMP/log"
	awk '$2 != NR { print "line " NR " is: " $0; bad = 1 } END { exit bad || NR < 50 }' "$TMP/log" || fail "lines are missing"
	docker rm counter quits >/dev/null
}

# limit test_kill_9_of_serve_leaves_containers_running 60
test_kill_9_of_serve_leaves_containers_running() {
	docker run -d --name keeps busybox sleep 100 >/dev/null
	local pid=$(inspect keeps '{{.State.Pid}}') serve=$(serve_pid)
	kill -KILL "$serve"
	wait_for 20 not_alive "$serve"
	sleep 0.5
	serve_start
	is "$(inspect keeps '{{.State.Pid}} {{.State.Running}}')" "$pid true"
	is "$(docker exec keeps echo still here)" "still here"
	docker rm -f keeps >/dev/null
}

# limit test_stop_containers_stops_them 60
test_stop_containers_stops_them() {
	serve_stop TERM
	serve_start --stop-containers
	docker run -d --name stopped busybox sh -c 'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null
	ready stopped
	serve_stop TERM
	is "$(namespace_processes | wc -l)" 0 "processes in containers"
	serve_start
	is "$(inspect stopped '{{.State.Running}} {{.State.ExitCode}}')" "false 3"
	docker rm stopped >/dev/null
}

test_the_log_is_bunyan() {
	[ -s "$LOG" ] || fail "there is no $LOG"
	jq -es 'all(.[]; .v == 0 and has("name") and has("hostname") and has("pid") and has("level") and has("time") and has("msg"))' \
		"$LOG" >/dev/null || fail "a line lacks a field that bunyan demands: $(head -1 "$LOG")"
}

test_request_ids_are_in_answers_and_in_the_log() {
	local id
	id=$(curl_as me -X POST -D - -o /dev/null "https://$DOCKER_ADDR/containers/nope/start" | tr -d '\r' | sed -n 's/^[Xx]-[Rr]equest-[Ii]d: //p')
	[ "$id" ] || fail "no X-Request-Id"
	is "$(curl_as me -D - -o /dev/null "https://$DOCKER_ADDR/_ping" | grep -ci '^x-request-id')" 1
	wait_for 20 grep -q "$id" "$LOG"
}

test_a_data_directory_has_one_instance() {
	refused "another" "$TRITON" serve --data-dir "$DATA" --run-dir "$TMP/run" --docker 127.0.0.1:23799 --cloudapi ""
	exits 0 docker ps
}

test_an_address_in_use_is_refused_with_a_sentence() {
	refused "cannot listen there" "$TRITON" serve --data-dir "$TMP/data" --run-dir "$TMP/run" --docker $DOCKER_ADDR --cloudapi "" --instance "$NAME-x"
}

test_unknown_flags_are_refused() {
	exits 2 "$TRITON" serve --nonsense
	has "$out" "triton help serve"
	exits 2 "$TRITON" status --nonsense
	has "$out" "triton help status"
	exits 2 "$TRITON" nonsense
	exits 2 "$TRITON"
}

# limit test_two_instances_live_beside_each_other 60
test_two_instances_live_beside_each_other() {
	local pid second=$(mktemp -d /tmp/triton-e2e2.XXXXXX)
	"$TRITON" serve --data-dir "$TMP/data" --run-dir "$second" --docker 127.0.0.1:23770 --cloudapi 127.0.0.1:28444 --peer "" \
		--instance "$NAME-b" --datacenter second --uid-base 64200 >"$TMP/out" 2>"$TMP/err" </dev/null &
	pid=$!
	until_ok 15 grep -q 'serves data center second' "$TMP/out" || fail "not ready: $(cat "$TMP/out" "$TMP/err")"
	has "$("$TRITON" status --run-dir "$second")" "Data center  second"
	is "$(DOCKER_HOST=unix://$second/docker.sock DOCKER_TLS_VERIFY= docker info -f '{{.Name}}')" second
	is "$(docker info -f '{{.Name}}')" e2e
	kill -USR1 $pid                                   # with its networks
	wait $pid || fail "serve ended with status $?"
	rm -rf "$second"
}

test_directories_are_tight() {
	is "$(stat -c %a "$DATA/fs")" 700
	is "$(stat -c %a "$DATA/state")" 700
	is "$(stat -c %a "$DATA/ca/key.pem")" 600
	is "$(stat -c %u "$DATA/ca/key.pem")" 0
	is "$(stat -c %a "$RUN/docker.sock")" 600
	is "$(find_data -perm -o+w ! -type l ! -path "$DATA/fs/*")" "" "what everybody may write to"
}

test_the_local_socket_is_the_operator() {
	docker run -d --name mine busybox sleep 100 >/dev/null
	has_not "$(root_docker ps --format '{{.Names}}')" mine
	is "$(local_api GET /info | jq -r .SDCAccount)" operator
	docker rm -f mine >/dev/null
}

admin() { "$TRITON" "$@" --run-dir "$RUN"; }

test_accounts_are_added_shown_and_removed() {
	ssh-keygen -q -t ed25519 -N '' -f "$TMP/key"
	has "$(admin account add anna --key "$TMP/key.pub")" anna
	refused "exist" admin account add anna
	has "$(admin account list)" anna
	is "$(admin account show anna --json | jq -r '.account.login')" anna
	is "$(admin account show anna --json | jq -r '.keys | length')" 1
	has "$(admin account show anna)" "$(ssh-keygen -l -E md5 -f "$TMP/key.pub" | sed 's/.*MD5:\([^ ]*\).*/\1/')"
	admin account rm anna >/dev/null
	refused "no account anna" admin account show anna
	refused "no account anna" admin account rm anna
}

test_bad_accounts_and_keys_are_refused() {
	local login
	for login in A a '../x' 'a b' "$(printf 'x%.0s' {1..64})" root/x; do
		exits 1 admin account add "$login"
	done
	echo "not a key" >"$TMP/bad"
	refused "key" admin account add berta --key "$TMP/bad"
	refused "No such file" admin account add berta --key "$TMP/none"
	refused "no account berta" admin account show berta
	refused "no account nobody1" admin key list nobody1
	ssh-keygen -q -t ed25519 -N '' -f "$TMP/key"
	refused "public" admin account add berta --key "$TMP/key"
}

test_a_removed_key_is_refused_at_once() {
	account_create temp1 ed25519 >/dev/null
	setup_account temp1 >/dev/null
	exits 0 as temp1 docker ps
	local print=$(admin key list temp1 --json | jq -r '.[0].fingerprint')
	admin key rm temp1 "$print" >/dev/null
	refused "client certificate" as temp1 docker ps
	admin key add temp1 "$E2E/keys/temp1.pub" >/dev/null
	exits 0 as temp1 docker ps
	admin account disable temp1 >/dev/null
	refused "disabled" as temp1 docker ps
	admin account enable temp1 >/dev/null
	exits 0 as temp1 docker ps
	admin account rm temp1 >/dev/null
	refused "client certificate" as temp1 docker ps
	rm "$E2E"/keys/temp1*
}

# H26: a connection that is open already
test_h26_an_open_connection_loses_its_rights_with_the_key() {
	account_create temp2 ed25519 >/dev/null
	setup_account temp2 >/dev/null
	local certs=$HOME/.triton/docker/temp2 print=$(admin key list temp2 --json | jq -r '.[0].fingerprint')
	answers() { [ "$(grep -ao 'HTTP/1.1 ' "$TMP/out" | wc -l)" = "$1" ]; }
	: >"$TMP/out"
	{ printf 'GET /containers/json HTTP/1.1\r\nHost: x\r\n\r\n'; until_ok 10 answers 1; admin key rm temp2 "$print" >/dev/null
	  printf 'GET /containers/json HTTP/1.1\r\nHost: x\r\n\r\n'; until_ok 10 answers 2; } |
		timeout $((20 * ${E2E_SLOW:-1})) openssl s_client -quiet -connect $DOCKER_ADDR -cert "$certs/cert.pem" -key "$certs/key.pem" 2>/dev/null >"$TMP/out" || true
	is "$(grep -ao 'HTTP/1.1 [0-9]*' "$TMP/out" | cut -d' ' -f2 | xargs)" "200 401"
	admin account rm temp2 >/dev/null
	rm "$E2E"/keys/temp2*
}

test_status_is_for_people_and_programs() {
	local text=$(admin status)
	has "$text" "Data center  e2e"
	has "$text" "ROLE"
	has "$text" "state"
	is "$(admin status --json | jq -r '.datacenter, (.nodes | length), (.roles | map(.name) | contains(["serve","state","node","api"]))' | xargs)" "e2e 1 true"
	[ "$(admin status --json | jq .state.revision)" -gt 0 ]
	[ "$(admin status --json | jq '.nodes[0].memory_free')" -gt 0 ]
	refused "triton serve" "$TRITON" status --run-dir "$TMP"
}

test_state_dump_shows_records() {
	has "$(admin state dump a/)" "a/me"
	is "$(admin state dump --json a/ | jq -r 'select(.key == "a/me") | .value.login')" me
	has_not "$(admin state dump)" "PRIVATE KEY"
	refused "nothing answers" "$TRITON" state dump --run-dir "$TMP"
}

test_help_and_version() {
	has "$("$TRITON" help)" "triton setup"
	has "$("$TRITON" help serve)" "--data-dir DIR"
	has "$("$TRITON" account --help)" "account add LOGIN"
	has "$("$TRITON" version --licenses)" "BearSSL"
	is "$("$TRITON" version --json | jq -r 'has("version")')" true
}

test_the_program_is_one_static_file() {
	has "$(file -L "$TRITON" 2>/dev/null || echo static)" static
	refused "" sh -c "ldd $TRITON | grep -v -e 'not a dynamic' -e statically"
	[ "$(stat -c %s "$TRITON")" -le 3145728 ] || fail "$(stat -c %s "$TRITON") bytes"
}

# What an operator installs: the unit means what systemd takes it for, and names the program that lies beside it.
test_install_and_its_unit() {
	local unit=$TMP/opt/lib/systemd/system/triton.service
	command -v make >/dev/null && [ -e "$ROOT/Makefile" ] || skip "there is no make here"
	make -s -C "$ROOT" install PREFIX="$TMP/opt" -o build/triton >/dev/null
	cmp "$BINARY" "$TMP/opt/bin/triton"
	has "$(cat "$unit")" "ExecStart=$TMP/opt/bin/triton serve"
	command -v systemd-analyze >/dev/null || skip "there is no systemd-analyze"
	problems() { systemd-analyze verify --man=no "$1" 2>&1 | grep -F "$TMP" || true; }
	is "$(problems "$unit")" ''
	sed 's/^KillMode=.*/KillMode=nobody/' "$unit" >"$TMP/opt/lib/systemd/system/bad.service"
	has "$(problems "$TMP/opt/lib/systemd/system/bad.service")" nobody
}
