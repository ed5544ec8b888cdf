# Rows C of the reliability plan, one at a time, on three nodes: what one fault may do and what not. Names carry the row's id. The same
# faults come together and by chance in soak; rows C09 to C13 are played call by call and bit by bit on one node in test/power.

http_write() { # NODE NAME: the status of an attempt
	curl -s --max-time 15 -o "$C/said" -w '%{http_code}' --unix-socket "$RUN/$1/docker.sock" -X POST -H 'Content-Type: application/json' \
		-d "{\"Name\":\"$2\"}" http://d/volumes/create
}
others() { seq 3 | grep -v "^$1\$" | tr '\n' ' '; }
all_have() { # NAME...: on every node
	local i v
	for i in 1 2 3; do
		until_ok 20 write_at $i "asked-$i" || fail "node $i does not take changes"
		volumes_at $i >"$C/volumes"
		for v in "$@"; do grep -qx "$v" "$C/volumes" || fail "$v was acknowledged and is not on node $i"; done
	done
}
# Writes through nodes in turn while a command runs; acknowledged ones are in $acked, the longest took $longest ms.
acked= longest=0
writes_during() { # NODES COMMAND...
	local nodes=$1 pid k=0 i begin took
	shift
	"$@" >"$C/during" 2>&1 &
	pid=$!
	acked= longest=0
	while kill -0 $pid 2>/dev/null; do
		for i in $nodes; do
			k=$((k + 1))
			begin=$(now_ms)
			write_at "$i" "during-$k" 15 && acked="$acked during-$k"
			took=$(($(now_ms) - begin))
			[ $took -le $longest ] || longest=$took
		done
		sleep 0.05
	done
	echo "$(echo $acked | wc -w) of $k acknowledged, the longest took $longest ms"
}

# CRASH_POINTS=1: at more of them.
test_C04_the_leader_is_killed_at_calls_of_a_commit() {
	local call l o k=0 acked=
	local points="fdatasync:1 sendto:4 pwrite64:2"
	[ -z "${CRASH_POINTS:-}" ] || points="fdatasync:1 fdatasync:2 pwrite64:1 pwrite64:2 pwrite64:3 pwrite64:4 sendto:1 sendto:2 sendto:3 sendto:4 sendto:5
		writev:1 writev:2 sendmsg:1 sendmsg:2 sendmsg:3 sendmsg:4"
	for call in $points; do
		l=$(leader)
		o=$((l % 3 + 1))
		timeout -s INT 4 strace -f -qq -o /dev/null -e trace=fdatasync,pwrite64,sendto,writev,sendmsg -e inject="${call%:*}:signal=KILL:when=${call#*:}" -p "$(state_pid "$l")" &
		tracer=$!
		for n in 1 2 3 4; do
			k=$((k + 1))
			write_at $o "kill-$k" 15 && acked="$acked kill-$k"
		done
		wait $tracer || true
		until_ok 20 write_at "$l" "back-$k" || fail "node $l does not come back after $call"
	done
	[ "$(echo $acked | wc -w)" -gt 4 ] || fail "only $(echo $acked | wc -w) of $k writes were acknowledged"
	all_have $acked
}

hears_nobody() { # TRY
	local l try=$1 begin took code
	l=$(leader)
	link set '*' "$l" cut=1
	begin=$(now_ms)
	set -- $(others "$l")
	until_ok 10 write_at "$1" "during-$try" 4 || fail "the others do not go on"
	took=$(($(now_ms) - begin))
	echo "writes again after $took ms"
	code=$(http_write "$l" "never-$try")
	link clear
	is "$code" 503
	until_ok 20 write_at "$l" "back-$try"
	! volumes_at "$l" | grep -qx "never-$try" || fail "what was refused was done"
	all_have "during-$try" "back-$try"
	[ $took -lt 6000 ] || fail "it took $took ms"
}
test_C06_a_leader_that_hears_nobody_steps_down() {
	best_of_three hears_nobody
}

flapping() { # TRY
	local l before k
	l=$(leader)
	set -- "$1" $(others "$l")
	before=$(term "$l")
	for k in 0.7 0.7 2.5 2.5; do                          # shorter and longer than it waits before it wants an election
		link_down "$2"
		sleep $k
		link_up "$2"
		sleep 0.4
		until_ok 20 write_at "$l" "flap-$1-$k" || fail "a write failed while a follower flapped"
	done
	link set "$2" "$3" cut=1 && link set "$3" "$2" cut=1  # the leader is the bridge
	sleep 3
	until_ok 20 write_at "$l" "bridge-$1" || fail "a write failed though the leader reaches both"
	link clear
	until_ok 20 write_at "$2" "back-$1" || fail "no write when all reach all"
	[ "$(term "$l") $(leader)" = "$before $l" ] || fail "term $before of $l has become $(term "$l") of $(leader)"
}

# The machine may stand still for a second, which changes leaders; what is shown here would change them each time.
test_C07_a_flapping_follower_and_a_bridge_change_no_leader() {
	best_of_three flapping
}

# A client at each node that goes on after the last event it saw when its connection ends: in $C/NAME.0 to .2 as "timeNano type action id".
events_begin() { # NAME
	local i
	rm -f "$C/$1".[0-9]*
	python3 test/e2e/events.py --sockets "$C/$1" "end-$1" "$RUN/1/docker.sock" "$RUN/2/docker.sock" "$RUN/3/docker.sock" & LISTENING=$!
	for i in 0 1 2; do until_ok 20 test -e "$C/$1.$i.ready"; done
}
events_end() { # NAME: all have seen the same in the same order, and no moment twice
	until_ok 20 docker_at 1 volume create "end-$1"
	wait $LISTENING
	for i in 1 2; do cmp "$C/$1.0" "$C/$1.$i" || fail "node 1 and node $((i + 1)) tell of different things"; done
	cut -d' ' -f1 "$C/$1.0" | sort -n -u -c || fail "times of events do not grow"
}

# What a node does with a wrong clock: SECONDS PERMILLE. $v has the clock, $o and $p have not.
clock_is_wrong_once() {
	local name=clk$((k += 1))
	docker_at $o run -d --name "$name" --restart always -e "constraint:node==n$v" bb:1 sh -c 'sleep 0.2; exit 3' >/dev/null
	clock_set $v "$1" "$2"
	[ $who = leader ] || kill -9 "$(role_pid $v peer)"     # links are made again, and certificates judged again
	for i in $o $p $v; do until_ok 20 write_at $i "$name-$i" || fail "node $i takes no changes (clock $1 $2)"; done
	volumes_at $v | grep -qx "$name-$p" || fail "node $v does not see what was written (clock $1 $2)"
	until_ok 30 sh -c "[ \"\$(DOCKER_HOST=unix://$RUN/$o/docker.sock docker inspect -f '{{.RestartCount}}' $name)\" -ge 3 ]" ||
		fail "it does not start again (clock $1 $2)"
	docker_at $v run --rm -e "constraint:node==n$v" bb:1 sh -c 'exit 7' && fail "no exit code" || is $? 7 "clock $1 $2"
	docker_at $p rm -f "$name" >/dev/null
	acked="$acked $name-$o $name-$p $name-$v"
}
clock_is_wrong() { # in one of three tries the term stays, too: the machine may stand still
	local try before
	for try in 1 2 3; do
		before=$(term $o)
		clock_is_wrong_once "$@"
		[ "$(term $o)" != "$before" ] || return 0
		clock_set $v 0 1000
	done
	fail "the term changes (clock $1 $2)"
}
info_at() { # NODE LOGIN: the status that the account gets
	on "$1" curl -s -o /dev/null -m 10 -w '%{http_code}' --cacert "$A/ca.pem" --cert "$A/$2/cert.pem" --key "$A/$2/key.pem" https://127.0.0.1:2376/info || true
}
test_C08_clocks_that_are_wrong_harm_nobody() {
	local k=0
	acked=
	accounts_begin
	account cleo
	v=$(($(leader) % 3 + 1))
	clock_give $v
	for who in follower leader; do
		for round in 1 2 3 4 5 6 7 8; do                      # another one may win
			[ $who = leader ] && [ "$(leader)" != $v ] || break
			kill -9 "$(state_pid "$(leader)")"
			until_ok 20 write_at $v "office-$round"
		done
		set -- $(others $v)
		o=$1 p=$2
		clock_is_wrong 3600 1000
		clock_is_wrong -3600 1000
		clock_is_wrong 0 0
		clock_is_wrong 0 2000
		clock_is_wrong 0 1000
	done
	clock_set $v 3600 1000
	has "$(joining --join "10.77.0.$v:2377" --token "$(token $o)")" "the clocks are 3600 seconds apart"
	place_remove 4
	clock_set $v 259200 1000                               # an account's certificate is good for two days
	until_is 20 200 info_at $o cleo
	is "$(info_at $v cleo)" 401
	clock_set $v 0 1000
	until_is 20 200 info_at $v cleo
	all_have $acked
	events_begin clocks
	events_end clocks
	is "$(grep -cE ' container (create|destroy) ' "$C/clocks.0")" "$(grep -E ' container (create|destroy) ' "$C/clocks.0" | cut -d' ' -f3,4 | sort -u | wc -l)"
	node_stop $v
	rm "$(clock_of $v).clock"
	serve_start $v
}

leads() { # NODE: it becomes the leader
	local round
	for round in $(seq 20); do
		[ "$(leader)" != "$1" ] || return 0
		kill -9 "$(state_pid "$(leader)")" 2>/dev/null || true
		until_ok 20 write_at "$1" "office-$round"
	done
	fail "node $1 does not become the leader"
}
running() { pgrep -fc "^sleep $1\$" || true; } # SECONDS: processes that sleep so long
runs_elsewhere() { [ "$(docker_at "$1" inspect -f '{{.State.Running}} {{.Node.ID}}' "$2" | grep -c "true $3")" = 0 ] && [ "$(docker_at "$1" inspect -f '{{.State.Running}}' "$2")" = true ]; } # NODE CONTAINER OLD

elects_nobody() { # TRY: for as long as elections would come in
	local before
	before="$(term 3) $(leader)"
	sleep 5
	is "$(term 3) $(leader)" "$before" "term and leader"
}
# The kernel lets a clock run a tenth too slow or too fast: the lost node's is slow, so that its lease lasts, the leader's is fast.
test_C08_clocks_of_another_speed_let_nothing_run_twice() {
	local fast=1 slow=2 most=0 now lost k
	for k in $fast $slow; do clock_give $k; done
	leads $fast
	clock_set $fast 0 1100 1100
	clock_set $slow 0 900 900
	for k in 1 2 3 4 5 6; do docker_at 3 run -d --name "sp$k" --restart always bb:1 sleep "4711080$k" >/dev/null; done
	for k in 1 2 3 4 5 6; do [ "$(holder "sp$k")" != $slow ] || lost=$k; done
	for i in 1 2 3; do until_ok 20 write_at $i "speed-$i"; done
	best_of_three elects_nobody
	leads $fast
	link_down $slow
	begin=$(now_ms)
	until runs_elsewhere 3 "sp$lost" "$(cat "$C/$slow/data/node")"; do
		now=$(running "4711080$lost")
		[ "$now" -le $most ] || most=$now
		[ $(($(now_ms) - begin)) -lt 90000 ] || fail "it does not start elsewhere"
		sleep 0.05
	done
	echo "elsewhere after $(($(now_ms) - begin)) ms"
	for k in $(seq 60); do
		now=$(running "4711080$lost")
		[ "$now" -le $most ] || most=$now
		sleep 0.05
	done
	is $most 1 "copies at a time"
	link_up $slow
	for i in 1 2 3; do until_ok 20 write_at $i "again-$i"; done
	until_is 20 1 running "4711080$lost"
	for k in $fast $slow; do
		clock_set $k 0 1000
		node_stop $k
		rm "$(clock_of $k).clock"
		serve_start $k
	done
	for i in 1 2 3; do until_ok 20 write_at $i "right-$i"; done
}

# A container's whole life for each fault, by clients that try again.
ev_created() { docker_at "$1" create --name "$2" bb:1 sleep 1000 || docker_at "$1" inspect "$2"; }
ev_started() { docker_at "$1" start "$2" && [ "$(docker_at "$1" inspect -f '{{.State.Running}}' "$2")" = true ]; }
ev_removed() { docker_at "$1" rm -f "$2" && ! docker_at "$1" inspect "$2"; }
test_events_are_the_same_through_every_node_whoever_dies() {
	local n=0 fault at l id
	rm -f "$C/ids"
	events_begin listened
	for fault in "role api" "role state" "role node" "role peer" "leader's state" "node" "leader" "planned" "leader alone"; do
		n=$((n + 1)) at=$((n % 3 + 1))
		until_ok 30 ev_created $at ev$n
		docker_at $at inspect -f '{{.Id}}' ev$n >>"$C/ids"
		l=$(leader)
		case $fault in
		role*) kill -9 "$(role_pid $at "${fault#role }")" ;;
		"leader's state") kill -9 "$(state_pid "$l")" ;;
		node) kill -9 "$(serve_pid $at)"; serve_start $at ;;
		leader) kill -9 "$(serve_pid "$l")"; serve_start "$l" ;;
		planned) node_stop "$l"; serve_start "$l" ;;
		"leader alone") link_down "$l"; sleep 3; link_up "$l" ;;
		esac
		until_ok 40 ev_started $at ev$n || fail "after $fault"
		until_ok 40 ev_removed $at ev$n || fail "after $fault"
	done
	events_end listened
	while read -r id; do
		is "$(awk -v id="$id" '$4 == id && $3 ~ /^(create|start|die|destroy)$/ { print $3 }' "$C/listened.0" | xargs)" "create start die destroy" "$id"
	done <"$C/ids"
	is "$(wc -l <"$C/ids")" $n
}

test_C09_no_room_on_a_majority_and_room_again() {
	l=$(leader)
	set -- $(others "$l")
	for i in "$l" "$1"; do inject $i 6 fallocate,pwrite64:error=ENOSPC & done
	sleep 1
	refused=
	for k in 1 2 3 4 5 6; do
		code=$(http_write $((k % 3 + 1)) "full-$k")
		case $code in 201) acked="$acked full-$k" ;; 503 | 504 | 500) refused=1 ;; 000) refused=1 ;; *) fail "status $code: $(cat "$C/said")" ;; esac
		[ "$(now_ms)" ] && sleep 0.2
	done
	wait
	for i in 1 2 3; do until_ok 30 write_at $i "room-$i" || fail "node $i does not take changes when there is room again"; done
	all_have $acked room-1 room-2 room-3
}

slow_leader() { # TRY
	local l o before after
	l=$(leader)
	o=$((l % 3 + 1))
	before=$(term "$o")
	writes_during $o inject "$l" 5 fdatasync:delay_enter=200000
	after=$(term "$o")
	all_have $acked
	[ $((after - before)) -le 1 ] || fail "the term went from $before to $after"
	[ $longest -lt 4000 ] || fail "a write took $longest ms"
}
test_C10_a_leader_with_a_slow_disk() {
	best_of_three slow_leader
}

standing_follower() { # TRY
	local l
	l=$(leader)
	set -- $(others "$l")
	writes_during "$l $2" inject "$1" 5 fdatasync:delay_enter=2000000
	all_have $acked
	[ $longest -lt 1500 ] || fail "a write took $longest ms"
}
test_C10_a_follower_with_a_disk_that_stands_makes_nobody_wait() {
	best_of_three standing_follower
}

test_C11_a_sync_that_fails_once() {
	for who in leader follower; do
		l=$(leader)
		v=$l
		[ $who = leader ] || v=$((l % 3 + 1))
		pid=$(state_pid "$v")
		writes_during "$((v % 3 + 1))" inject "$v" 5 fdatasync:error=EIO:when=1
		until_ok 20 write_at "$v" "back-$who" || fail "node $v does not come back"
		[ "$(state_pid "$v")" != "$pid" ] || fail "the $who went on after a failed sync"
		all_have $acked "back-$who"
	done
}

test_C13_a_damaged_log_is_noticed_and_the_node_made_anew_from_the_others() {
	l=$(leader)
	v=$((l % 3 + 1))
	for k in $(seq 10); do steady_write "$l" "whole-$k"; done
	kill -9 "$(serve_pid $v)"
	python3 - "$(ls "$C/$v"/data/state/log/log-* | tail -1)" <<-'END'
		import sys
		b = bytearray(open(sys.argv[1], 'rb').read())
		b[len(b.rstrip(b'\0')) // 2] ^= 4
		open(sys.argv[1], 'r+b').write(b)
	END
	: >"$C/$v/serve.err"
	serve_start $v >/dev/null 2>&1 & starting=$!
	until_ok 10 grep -q 'is damaged; this node must be rebuilt' "$C/$v/serve.err" || fail "it says nothing of damage: $(tail -2 "$C/$v/serve.err" | cut -c 1-300)"
	for k in 1 2 3; do steady_write "$l" "without-$k" || fail "the others do not go on"; done
	[ "$(http_write $v never)" != 201 ] || fail "a damaged node takes changes"
	id=$(cat "$C/$v/data/node")
	kill -9 "$(serve_pid $v)"
	kill $starting 2>/dev/null || true
	until_ok 30 "$TRITON" node remove "$id" --force --run-dir "$RUN/$l"
	node_forget $v
	join $v "$l"
	all_have $(seq -f whole-%.0f 10) without-1 without-2 without-3
	until_is 30 3 voters "$l"
}

test_C14_a_bad_wire() {
	for what in "drop=1000 dup=1000" "delay=200 jitter=100 reorder=500" "corrupt=200 reorder=1000"; do
		link set '*' '*' $what
		writes_during "1 2 3" sleep 3
		link clear
		[ "$(echo $acked | wc -w)" -gt 2 ] || fail "with $what only $(echo $acked | wc -w) writes were acknowledged"
		all_have $acked
	done
	link show | grep -q 'corrupted [1-9]' || fail "nothing was corrupted"
}

rolling() {
	local i
	for i in 1 2 3; do fault_C15_restart $i; until_ok 20 write_at $i "rolled-$i"; done
}
test_C15_a_rolling_restart_fails_no_write_of_clients_that_try_again() {
	local k=0 acked= tries
	rolling >"$C/rolling" 2>&1 &
	while kill -0 $! 2>/dev/null; do
		k=$((k + 1)) tries=0
		until write_at $(((k + tries) % 3 + 1)) "roll-$k" 15; do
			tries=$((tries + 1))
			[ $tries -lt 60 ] || fail "write $k failed $tries times"
			sleep 0.1
		done
		acked="$acked roll-$k"
		sleep 0.05
	done
	echo "$k writes"
	all_have $acked rolled-1 rolled-2 rolled-3
}

# ROUNDS=50: as often as reliability's row says.
come_and_go() {
	local id round
	for round in $(seq "${ROUNDS:-3}"); do
		place_create 4 && join 4 $((round % 3 + 1)) && write_at 4 "came-$round" || return 1
		id=$(cat "$C/4/data/node")
		kill -9 "$(serve_pid 4)"
		until_ok 30 "$TRITON" node remove "$id" --force --run-dir "$RUN/1" || return 1
		if [ "$round" = "${ROUNDS:-3}" ]; then        # an old disk: it is no member any more and stays outside
			serve_start 4 & sleep 3
			! write_at 4 from-outside 3 || { echo "a removed node takes changes"; return 1; }
			kill -9 "$(serve_pid 4)" $!
		fi
		place_remove 4
		node_forget 4
	done
	: >"$C/came-and-gone"
}
test_C16_nodes_come_and_go_under_load() {
	rm -f "$C/came-and-gone"
	writes_during "1 2 3" come_and_go
	[ -e "$C/came-and-gone" ] || fail "a node could not come or go: $(tail -5 "$C/during")"
	[ $longest -lt 8000 ] || fail "a write took $longest ms"
	until_is 30 3 voters 1
	is "$(status_at 1 | jq -r '.nodes | length')" 3
	! volumes_at 1 | grep -qx from-outside || fail "a removed node still changes things"
	all_have $acked came-1 came-2 came-3
}

# Two come at once, and the leader goes for good while they do.
test_C16_two_changes_at_once_and_the_leader_is_removed() {
	for i in 4 5; do place_create $i; done
	join 4 1 & first=$!
	join 5 2 & second=$!
	wait $first && wait $second || fail "they could not both join"
	NODES=5
	until_is 30 5 voters 1
	for i in 4 5; do write_at $i "two-$i"; done
	l=$(leader)
	o=$((l % 3 + 1))
	gone=$(cat "$C/$l/data/node")
	has "$("$TRITON" node remove "$gone" --run-dir "$RUN/$l" --force 2>&1 || true)" "cannot remove itself"
	kill -9 "$(serve_pid "$l")"
	until_ok 30 "$TRITON" node remove "$gone" --force --run-dir "$RUN/$o"
	is "$(voters "$o")" 3 "voters, when the removal has answered"
	if [ "$l" -gt 3 ]; then
		place_remove "$l"
		node_forget "$l"
	else                                                  # the three of the other tests stay three
		node_forget "$l"
		join "$l" "$o"
	fi
	for i in 1 2 3; do until_ok 30 write_at $i "left-$i" || fail "node $i takes no changes"; done
	for i in 4 5; do                                      # at once: of three voters these two may be two
		[ -e "/run/netns/$NS-$i" ] || continue
		id=$(cat "$C/$i/data/node")
		kill -9 "$(serve_pid $i)"
		until_ok 30 "$TRITON" node remove "$id" --force --run-dir "$RUN/1"
		place_remove $i
		node_forget $i
	done
	until_is 30 3 voters 1
	is "$(status_at 1 | jq -r '.nodes | length')" 3
	all_have two-4 two-5 left-1 left-2 left-3
}

test_C17_a_node_of_another_data_center_is_refused() {
	l=$(leader)
	v=$((l % 3 + 1))
	kill -9 "$(serve_pid $v)"
	mv "$C/$v/data" "$C/$v/mine"
	serve_start $v || fail "it does not start"            # another data center at the address of a member
	sleep 2
	for k in 1 2 3; do steady_write "$l" "ours-$k" || fail "the others do not go on"; done
	is "$(status_at $v | jq -r '.nodes | length')" 1 "nodes of the other data center"
	! docker_at $v volume ls -q | grep -q . || fail "it shows what is not its own"
	has "$(grep -h -i 'refus\|no node\|other data center\|another data center\|not know\|certificate\|authority' "$C"/*/serve.err | tail -1)" '"level":'
	kill -9 "$(serve_pid $v)"
	until_ok 10 sh -c "! [ -e /proc/$(serve_pid $v || echo none) ]"
	rm -rf "$C/$v/data"
	mv "$C/$v/mine" "$C/$v/data"
	serve_start $v
	all_have ours-1 ours-2 ours-3
}

test_C18_a_snapshot_arrives_though_both_ends_are_killed() {
	l=$(leader)
	place_create 4
	head -c 3000000 /dev/urandom | base64 -w 3000 >"$C/labels"   # a state that takes a while on a slow wire
	k=0
	while read -r text && [ $k -lt 200 ]; do
		k=$((k + 1))
		until_ok 20 curl -sf --max-time 20 --unix-socket "$RUN/$l/docker.sock" -X POST -H 'Content-Type: application/json' \
			-d "{\"Name\":\"big-$k\",\"Labels\":{\"x\":\"$text\"}}" http://d/volumes/create
	done <"$C/labels"
	for i in 1 2 3; do link set $i 4 rate=150; done
	t=$(token "$l")
	mkdir -p "$C/4" "$RUN/4"
	on 4 setsid "$TRITON" serve --data-dir "$C/4/data" --run-dir "$RUN/4" --peer 10.77.0.4:2377 --instance "cl$$-4" \
		--uid-base $((UID_BASE + 64)) --join "10.77.0.$l:2377" --token "$t" >"$C/4/serve.out" 2>>"$C/4/serve.err" </dev/null &
	until_ok 20 test -s "$RUN/4/roles"
	until_ok 20 sh -c "awk '\$1 == \"state\" && \$2 > 0' $RUN/4/roles | grep -q ."
	sleep 1.5
	kill -9 "$(state_pid 4)"                               # the receiver
	sleep 1.5
	kill -9 "$(state_pid "$l")"                            # the sender
	sleep 1
	for i in 1 2 3; do link set $i 4 rate=0; done
	until_ok 40 grep -q 'serves data center' "$C/4/serve.out" || fail "it never serves: $(tail -1 "$C/4/serve.err" | cut -c 1-300)"
	until_ok 20 write_at 4 here
	is "$(volumes_at 4 | grep -c '^big-')" $k "volumes on the new node"
	[ "$(awk '/VmHWM/ { print $2 }' "/proc/$(state_pid 4)/status")" -lt 60000 ] || fail "it took $(grep VmHWM "/proc/$(state_pid 4)/status")"
	id=$(cat "$C/4/data/node")
	kill -9 "$(serve_pid 4)"
	until_ok 30 "$TRITON" node remove "$id" --force --run-dir "$RUN/1"
	place_remove 4
	node_forget 4
}

# --- whoever has nothing to do with a dead node, a stalled link or a slow disk does not wait for it ---

busy_with() { # NODE CONTAINER: requests through NODE, again and again, for a container whose node says nothing
	local k
	for k in $(seq 12); do
		curl -s --max-time 20 -o /dev/null --unix-socket "$RUN/$1/docker.sock" "http://d/containers/$2/logs?stdout=1" &
		curl -s --max-time 20 -o /dev/null --unix-socket "$RUN/$1/docker.sock" "http://d/containers/$2/stats?stream=0" &
		curl -s --max-time 20 -o /dev/null --unix-socket "$RUN/$1/docker.sock" -X POST "http://d/containers/$2/stop?t=1" &
		sleep 0.3
	done
	wait
}
longest_of_others() { # NODE SECONDS CONTAINER: of lists, writes and execs that touch other nodes only
	local until=$(($(now_ms) + $2 * 1000)) begin took what
	longest=0
	while [ "$(now_ms)" -lt $until ]; do
		for what in list write exec; do
			begin=$(now_ms)
			case $what in
			list) curl -sf --max-time 10 -o /dev/null --unix-socket "$RUN/$1/docker.sock" "http://d/containers/json?all=1" ;;
			write) write_at "$1" "other-$begin" ;;
			exec) docker_at "$1" exec "$3" true ;;
			esac || fail "$what failed after $(($(now_ms) - begin)) ms"
			took=$(($(now_ms) - begin))
			[ $took -le $longest ] || { longest=$took; slowest=$what; }
		done
	done
	echo "the longest was a $slowest of $longest ms"
}

# One of the two that do not lead says nothing any more, by COMMAND; through the other one somebody asks for its containers all the time.
nobody_else_waits() { # BEGIN END TRY
	local l dead through far near k h busy
	l=$(leader)
	set -- $(others "$l") "$@"
	dead=$1 through=$2
	for k in 1 2 3 4 5 6; do docker_at "$l" run -d --name "s$5$k" bb:1 sleep 1000 >/dev/null; done
	for k in 1 2 3 4 5 6; do
		h=$(holder "s$5$k")
		[ "$h" = "$dead" ] && far=s$5$k
		[ "$h" = "$through" ] && near=s$5$k
	done
	$3 "$dead"
	busy_with "$through" "$far" & busy=$!
	sleep 0.5
	(longest_of_others "$through" 4 "$near"; echo $longest $slowest >"$C/longest") || echo "100000 failure" >"$C/longest"
	kill $busy 2>/dev/null || true
	$4 "$dead"
	for k in 1 2 3; do until_ok 20 write_at $k "over-$5"; done
	read -r longest slowest <"$C/longest"
	[ $longest -lt 2000 ] || fail "a $slowest took $longest ms"
}
test_a_stalled_link_makes_nobody_else_wait() {
	best_of_three nobody_else_waits link_down link_up
}
node_dies() { kill -9 "$(serve_pid "$1")"; }
test_a_dead_node_makes_nobody_else_wait() {
	best_of_three nobody_else_waits node_dies serve_start
}

# Its links to the others are made again at once: the best of three rounds, for the machine may be busy.
test_a_killed_state_role_serves_again_within_two_seconds() {
	l=$(leader)
	for v in "$l" $((l % 3 + 1)); do
		best=100000
		for round in 1 2 3; do
			until_ok 20 write_at "$v" "before-$v-$round"
			begin=$(now_ms)
			kill -9 "$(state_pid "$v")"
			until_ok 20 write_at "$v" "after-$v-$round"
			took=$(($(now_ms) - begin))
			[ $took -ge $best ] || best=$took
		done
		echo "node $v: $best ms"
		[ $best -lt 2000 ] || fail "node $v took $best ms at the least"
	done
}

test_a_node_alone_stops_with_its_containers_in_bounded_time() {
	v=$(leader)
	for k in 1 2 3 4 5 6; do docker_at "$v" run -d --name "a$k" bb:1 sh -c 'trap "exit 7" TERM; while :; do sleep 0.1; done' >/dev/null; done
	for k in 1 2 3 4 5 6; do [ "$(holder "a$k")" != "$v" ] || mine=a$k; done
	link_down "$v"
	pid=$(serve_pid "$v")
	kill -USR1 "$pid"
	until_ok 30 sh -c "! [ -e /proc/$pid ]" || fail "it does not stop"
	! grep -qs "/triton-cl$$-$v/" /proc/[0-9]*/cgroup || fail "something of it runs on"
	link_up "$v"
	serve_start "$v"
	until_is 20 "exited 7" docker_at "$v" inspect -f '{{.State.Status}} {{.State.ExitCode}}' $mine
}
