# Three nodes: what one data center promises. Names carry the ids of the faults they play.

joining() { # FLAG...: a fourth machine that must be refused; prints what it says
	[ -e "/run/netns/$NS-4" ] || place_create 4
	rm -rf "$C/4"
	mkdir -p "$C/4"
	! on 4 timeout 30 "$TRITON" serve --data-dir "$C/4/data" --run-dir "$RUN/4" --peer 10.77.0.4:2377 --instance "cl$$-4" \
		--uid-base $((UID_BASE + 64)) "$@" 2>&1 | head -c 1000
}

test_three_join_and_vote() {
	for i in 1 2 3; do until_is 10 3 voters $i; done
	is "$(for i in 1 2 3; do status_at $i | jq -r .state.leader_server; done | sort -u | wc -l)" 1 "one leader for all"
	is "$(for i in 1 2 3; do status_at $i | jq -r '.nodes | length'; done | tr '\n' ' ')" "3 3 3 "
}

test_a_token_is_good_once_and_for_one_data_center() {
	t=$(token 1)
	has "$(joining --join 10.77.0.1:2377 --token "${t%?}")" "the token is not whole"
	has "$(joining --join 10.77.0.1:2377 --token "${t%????}0000")" "knows no such token"
	has "$(joining --join 10.77.0.1:2377 --token "$(echo "$t" | sed 's/^triton-..../triton-0000/')")" "another authority"
	has "$(joining --join 10.77.0.9:2377 --token "$t")" "10.77.0.9"
	has "$(joining --join 10.77.0.1:8443 --token "$t")" "cannot join"
	t=$(token 2 --expires 1s)
	sleep 1.2
	has "$(joining --join 10.77.0.3:2377 --token "$t")" "has expired"
	has "$(joining --join 10.77.0.3:2377 --token x)" "no token"
	t=$(token 3)
	has "$(joining --join 10.77.0.3:2377 --token "$t" --name n2)" "another node is called n2; choose another --name"
	has "$(joining --join 10.77.0.3:2377 --token "$t" --name 'a b')" 'a node cannot be called "a b"'
	has "$(joining --join 10.77.0.3:2377 --token "${t%????}0000" --name n2)" "knows no such token"
	place_remove 4
	has "$("$TRITON" serve --join x:1 2>&1 || true)" "go together"
}

test_every_node_does_everything_with_every_container() {
	for i in 1 2 3; do docker_at $i run -d --name "c$i" bb:1 sh -c "echo from c$i; exec sleep 1000"; done
	for i in 1 2 3; do
		is "$(docker_at $i ps --format '{{.Names}}' | sort | tr '\n' ' ')" "c1 c2 c3 "
		for k in 1 2 3; do
			is "$(docker_at $i logs "c$k")" "from c$k" "logs of c$k through node $i"
			is "$(docker_at $i exec "c$k" echo "x$i$k")" "x$i$k"
			is "$(echo data | docker_at $i exec -i "c$k" cat)" data
		done
	done
	docker_at 1 exec c3 sh -c 'exit 7' && fail "no exit code" || is $? 7
	echo hello >"$C/file"
	docker_at 2 cp "$C/file" c1:/tmp/file
	docker_at 3 cp c1:/tmp/file - | tar -xO | grep -q hello
	is "$(docker_at 1 stats --no-stream --format '{{.Name}}' c1 c2 c3 | sort | tr '\n' ' ')" "c1 c2 c3 "
	has "$(docker_at 2 top c3)" sleep
	is "$(docker_at 1 run --rm bb:1 echo one)" one
	docker_at 3 stop -t 0 c1 c2 c3
	for i in 1 2 3; do is "$(docker_at $i ps -q)" "" "seen by node $i at once"; done
}

test_an_image_is_at_hand_on_every_node() {
	docker_at 2 run --name made bb:1 sh -c 'echo made >/tmp/made' >/dev/null
	for i in 1 2 3; do
		docker_at $i commit made "com:$i" >/dev/null
		is "$(docker_at $((i % 3 + 1)) save "com:$i" | tar -t | grep -c manifest.json)" 1 "saved by another node than committed it"
		is "$(printf 'FROM com:%s\nCOPY f /f\nRUN cat /tmp/made /f >/both\n' $i | cat - >"$C/Dockerfile"; echo file >"$C/f"
			tar -C "$C" -c Dockerfile f | DOCKER_BUILDKIT=0 docker_at $((i % 3 + 1)) build -q -t "built:$i" - >/dev/null
			docker_at "$i" run --rm "built:$i" cat /both | tr '\n' ' ')" "made file "
		n=$(docker_at 1 inspect -f '{{.Node.ID}}' made)
		is "$(docker_at "$i" run --rm -e "constraint:node!=$n" --mount type=image,src=com:$i,dst=/m bb:1 cat /m/tmp/made)" made "mounted on another node"
	done
	docker_at 1 rm made >/dev/null
	docker_at 1 rmi built:1 built:2 built:3 com:1 com:2 com:3 >/dev/null
}

test_what_was_made_here_is_kept_on_two_nodes() {
	docker_at 3 run --name made bb:1 sh -c 'echo made >/made' >/dev/null
	docker_at 2 commit made kept:1 >/dev/null
	docker_at 3 rm made >/dev/null
	top=$(docker_at 1 image inspect kept:1 -f '{{json .RootFS.Layers}}' | jq -r '.[-1]' | cut -d: -f2)
	holders() { ls -d "$C"/[123]/data/fs/layers/*"$top"* 2>/dev/null | sed "s|^$C/||" | cut -d/ -f1 | sort -u | wc -l; }
	until_is 20 2 holders
	for i in 1 2 3; do ls -d "$C/$i"/data/fs/layers/*"$top"* >/dev/null 2>&1 || without=$i; done
	gone=$((without % 3 + 1))                         # one of those that have it is lost: the third takes its place
	kill -9 "$(serve_pid $gone)"
	until_is 40 3 holders
	serve_start $gone
	until_ok 20 docker_at $gone rmi kept:1
	until_is 45 0 holders
}

test_containers_are_spread() {
	for k in 1 2 3 4 5 6; do docker_at 1 run -d --name "s$k" bb:1 sleep 1000 >/dev/null; done
	is "$(docker_at 1 inspect -f '{{.Config.Hostname}}' s1 | wc -l)" 1
	is "$("$TRITON" state dump --run-dir "$RUN/1" | sed -n 's/^    node  *"\([0-9a-f]*\)"$/\1/p' | sort | uniq -c | awk '{ print $1 }' | sort -u | wc -l)" 1 "as many on each"
}

test_published_ports_answer_on_every_node() {
	docker_at 1 run -d --name web -p 8080:80 bb:1 sh -c 'echo hi >/tmp/x; exec httpd -f -p 80 -h /tmp' >/dev/null
	for i in 1 2 3; do
		for from in 1 2 3; do until_is 10 hi on $from curl -s --max-time 2 "http://10.77.0.$i:8080/x"; done
	done
	docker_at 2 rm -f web >/dev/null
	for i in 1 2 3; do until_ok 10 sh -c "! nsenter --net=/run/netns/$NS-1 curl -s --max-time 1 http://10.77.0.$i:8080/x" || fail "node $i still answers"; done
}

test_C01_the_leader_is_killed() {
	acked= best=100000
	for round in 1 2 3; do
		l=$(leader)
		other=$((l % 3 + 1))
		write_at $other "before$round" && acked="$acked before$round"
		kill -9 "$(role_pid "$l" state)"
		begin=$(now_ms)
		until_ok 20 write_at $other "after$round" 4
		took=$(($(now_ms) - begin))
		echo "took $took ms"
		[ $took -ge $best ] || best=$took
		acked="$acked after$round"
	done
	[ $best -lt 4000 ] || fail "writes were back after $best ms at best"
	for i in 1 2 3; do
		until_ok 30 write_at $i "last$i"      # what a leader was asked that is no more is given up after 10 s
		for v in $acked; do volumes_at $i | grep -qx "$v" || fail "$v was acknowledged and is not on node $i"; done
	done
}

test_C02_a_follower_is_killed_and_catches_up() {
	l=$(leader)
	f=$((l % 3 + 1))
	kill -9 "$(serve_pid $f)"
	for k in $(seq 20); do steady_write "$l" "w$k" || fail "a write failed while one of three was down"; done
	serve_start $f
	until_is 10 "$(volumes_at "$l" | tr '\n' ' ')" sh -c "DOCKER_HOST=unix://$RUN/$f/docker.sock docker volume ls -q | sort | tr '\n' ' '"
}

test_C03_all_are_killed_at_once() {
	for k in $(seq 30); do steady_write $((k % 3 + 1)) "v$k"; done
	kill -9 "$(serve_pid 1)" "$(serve_pid 2)" "$(serve_pid 3)"
	for i in 3 1 2; do serve_start $i & done
	wait
	for i in 1 2 3; do
		until_ok 20 write_at $i "again$i"
		is "$(volumes_at $i | grep -c '^v')" 30 "on node $i"
	done
}

# The disks are intact, but what no sync has promised is gone: the databases, and with them what nodes knew of each other.
test_C03_all_lose_their_power_at_once() {
	until_is 20 3 voters 1
	for k in $(seq 30); do steady_write $((k % 3 + 1)) "v$k"; done
	kill -9 "$(serve_pid 1)" "$(serve_pid 2)" "$(serve_pid 3)"
	for i in 1 2 3; do until_ok 10 sh -c "! [ -e /proc/$(role_pid $i state) ]"; done
	rm -rf "$C"/[123]/data/state/db
	for i in 3 1 2; do serve_start $i & done
	wait
	for i in 1 2 3; do
		until_ok 20 write_at $i "again$i"
		is "$(volumes_at $i | grep -c '^v')" 30 "on node $i"
	done
}

refused_in_time() { # NODE TRY
	local code begin
	begin=$(now_ms)
	code=$(curl -s --max-time 30 -o /dev/null -w '%{http_code}' --unix-socket "$RUN/$1/docker.sock" -X POST -H 'Content-Type: application/json' \
		-d '{"Name":"lost"}' http://d/volumes/create)
	is "$code" 503
	[ $(($(now_ms) - begin)) -lt 6000 ] || fail "the minority took $(($(now_ms) - begin)) ms to answer"
}
test_C05_a_minority_answers_503_and_keeps_its_containers() {
	l=$(leader)
	others=$(seq 3 | grep -v "^$l\$")
	set -- $others
	docker_at "$l" run -d --name kept bb:1 sleep 1000 >/dev/null
	steady_write "$l" before
	link_down "$l"
	until_ok 10 write_at "$1" during || fail "the majority does not go on"
	best_of_three refused_in_time "$l"
	has "$(curl -s -D - -o /dev/null --max-time 30 --unix-socket "$RUN/$l/docker.sock" http://d/volumes)" "Triton-Stale"
	for i in "$1" "$2"; do volumes_at "$i" | grep -qx during; done
	# Nor does it say who may come in: the key may be removed, or added, where it does not see it.
	mkdir -p "$C/home"
	ssh-keygen -q -t ed25519 -N '' -f "$C/kim"
	"$TRITON" account add kim --key "$C/kim.pub" --run-dir "$RUN/$1" >/dev/null
	setup_at() { on "$1" env HOME="$C/home" SSH_AUTH_SOCK= "$TRITON" setup -k "$C/kim" --account kim \
		"$(sed -n 's/.*CloudAPI *\(https:[^ ]*\).*/\1/p' "$C/$1/serve.out" | head -1)" </dev/null 2>&1; }
	has "$(setup_at "$l")" "majority"
	has "$(setup_at "$1")" Success
	link_up "$l"
	until_ok 20 write_at "$l" healed
	volumes_at "$l" | grep -qx during || fail "what the majority did is not on node $l"
	has "$(setup_at "$l")" Success
	! volumes_at "$1" | grep -qx lost || fail "the refused change was done"
}

test_C19_a_leader_that_slept_serves_nothing_old() {
	l=$(leader)
	other=$((l % 3 + 1))
	pid=$(role_pid "$l" state)
	kill -STOP "$pid"
	until_ok 20 write_at $other while-asleep 4
	kill -CONT "$pid"
	until_ok 10 docker_at "$l" volume inspect while-asleep || fail "node $l does not know it"
	docker_at "$l" volume ls -q | grep -qx while-asleep
}

stop_planned() { # TRY
	local l other k failed=
	l=$(leader)
	other=$((l % 3 + 1))
	kill -TERM "$(serve_pid "$l")"
	for k in $(seq 10); do write_at $other "stop$1-$k" || failed="$failed $k"; done
	until_ok 10 sh -c "! [ -e /proc/$(serve_pid "$l" || echo none) ]"
	serve_start "$l"
	[ -z "$failed" ] || fail "writes$failed of 10 failed during a planned stop"
}
test_a_planned_stop_hands_the_office_over() {
	best_of_three stop_planned
}

test_a_start_whose_node_is_lost_meanwhile_says_so() {
	l=$(leader)
	v=$((l % 3 + 1)) o=$(((l + 1) % 3 + 1))
	kill -9 "$(serve_pid "$v")"
	has "$(docker_at "$o" run -d --name late -e "constraint:node==n$v" bb:1 sleep 1000 2>&1 || true)" "node n$v was lost before"
	serve_start "$v"
	until_is 20 true docker_at "$o" inspect -f '{{.State.Running}}' late
	until_is 20 up sh -c "'$TRITON' node list --json --run-dir '$RUN/$o' | jq -r '.[].node | select(.name == \"n$v\") | .state'"
}

leaves() { # NODE: stopped, and removed for good
	id=$(cat "$C/$1/data/node" 2>/dev/null || echo none)
	kill -USR1 "$(serve_pid "$1")"
	until_ok 20 sh -c "! [ -e /proc/$(serve_pid "$1" || echo none) ]"
	until_ok 20 "$TRITON" node remove "$id" --force --run-dir "$RUN/1"
	place_remove "$1"
	rm -rf "$RUN/$1" "$C/$1"
}

test_five_nodes_have_five_voters_and_three_again() {
	for i in 4 5; do                                      # machines that were made from one image
		place_create $i
		NAME='' join $i 2
	done
	NODES=5
	until_is 30 5 voters 1
	host=$(hostname | tr -c 'a-zA-Z0-9._\n-' -)
	called() { "$TRITON" node show "$(cat "$C/$1/data/node")" --json --run-dir "$RUN/$2" | jq -r .node.name; }
	is "$(called 4 1) $(called 5 3)" "$host $host-2"
	has "$(cat "$C/5/serve.out")" "joined data center dc1 as node $host-2"
	node_stop 5
	NAME='' serve_start 5
	is "$(called 5 1)" "$host-2"
	node_stop 5
	NAME=five serve_start 5
	is "$(called 5 4)" five
	is "$("$TRITON" node show five --json --run-dir "$RUN/1" | jq -r .node.id)" "$(cat "$C/5/data/node")"
	is "$(docker_at 2 run --rm -e constraint:node==five bb:1 echo hi)" hi
	docker_at 5 run --rm bb:1 echo hello | grep -q hello
	for i in 4 5; do leaves $i; done
	until_is 30 3 voters 1
	is "$(status_at 1 | jq -r '.nodes | length')" 3
}

# Seven take part in the log; the eighth and ninth follow it and are nodes like the others.
test_nodes_beyond_the_seventh_are_nodes_like_the_others() {
	for i in 4 5 6 7 8 9; do
		place_create $i
		join $i $((i % 3 + 1))
	done
	NODES=9
	until_is 30 "7 5" sh -c "'$TRITON' status --json --run-dir '$RUN/1' | jq -r '\"\(.state.members) \(.state.voters)\"'"
	for i in 8 9; do
		until_ok 20 write_at $i "by$i"
		volumes_at $i | grep -qx "by$i" || fail "node $i does not see what it wrote"
		for k in 1 2 3; do
			until_ok 20 write_at $k "r$k$i"
			volumes_at $i | grep -qx "r$k$i" || fail "node $i does not see at once what node $k wrote"
		done
	done
	n=$(cat "$C/9/data/node")
	docker_at 1 run -d --name far -e "constraint:node==$n" bb:1 sleep 1000 >/dev/null
	is "$(docker_at 1 inspect -f '{{.Node.ID}}' far)" "$n"
	is "$(docker_at 9 exec far echo here)" here
	is "$(docker_at 8 exec far echo there)" there
	docker_at 8 rm -f far >/dev/null
	for i in 8 9; do kill -9 "$(role_pid $i state)"; done # and are there again
	until_ok 20 write_at 1 while-away
	for i in 8 9; do until_ok 20 sh -c "DOCKER_HOST=unix://$RUN/$i/docker.sock docker volume ls -q | grep -qx while-away"; done
	until_ok 20 sh -c "! '$TRITON' node list --run-dir '$RUN/1' | grep -q lost"
	for i in 9 8 7 6 5 4; do leaves $i; done
	until_is 30 "3 3" sh -c "'$TRITON' status --json --run-dir '$RUN/1' | jq -r '\"\(.state.members) \(.state.voters)\"'"
}

node_of() { docker_at "$1" inspect -f '{{.Node.ID}}' "$2"; }
holder() { grep -lx "$(node_of 1 "$1")" "$C"/*/data/node | sed 's|.*/\([0-9]*\)/data/node|\1|'; } # CONTAINER: which of the nodes has it
copies() { pgrep -fc '^sleep 47110815$' || true; }

test_C20_a_lost_nodes_containers_run_elsewhere_and_never_twice() {
	docker_at 1 run -d --name moves --restart always bb:1 sleep 47110815 >/dev/null
	docker_at 1 run -d --name stays bb:1 sleep 1000 >/dev/null
	n=$(holder moves)
	o=$((n % 3 + 1))
	begin=$(now_ms)
	link_down "$n"
	until_ok 15 sh -c "'$TRITON' node list --run-dir '$RUN/$o' | grep -q lost"
	echo "lost after $(($(now_ms) - begin)) ms"
	old=$(cat "$C/$n/data/node")
	until_ok 60 sh -c "[ \"\$(DOCKER_HOST=unix://$RUN/$o/docker.sock docker inspect -f '{{.Node.ID}} {{.State.Running}}' moves)\" != '$old true' ] &&
		DOCKER_HOST=unix://$RUN/$o/docker.sock docker inspect -f '{{.State.Running}}' moves | grep -q true"
	echo "elsewhere after $(($(now_ms) - begin)) ms"
	for k in $(seq 20); do [ "$(copies)" -le 1 ] || fail "it runs $(copies) times"; sleep 0.05; done
	link_up "$n"
	until_ok 20 write_at "$n" back
	until_is 15 1 copies
	is "$(docker_at "$n" ps -a --filter name=moves -q | wc -l)" 1
}

# The others go on beside it: they do not know the new node, and it does not know them any more.
test_a_backup_becomes_a_data_center_of_its_own() {
	docker_at 1 network create --subnet 10.99.0.0/24 kept >/dev/null
	docker_at 1 create --name kept --network kept bb:1 sleep 1000 >/dev/null
	steady_write 3 acknowledged
	"$TRITON" backup --run-dir "$RUN/2" "$C/backup"
	is "$(stat -c %a "$C/backup")" 600
	has "$("$TRITON" backup --run-dir "$RUN/2" "$C/backup" 2>&1 || true)" "is there already"
	steady_write 3 later
	for i in 7 8; do place_create $i; rm -rf "$C/$i"; mkdir -p "$C/$i"; done
	has "$("$TRITON" restore --data-dir "$C/7/data" "$ROOT/test/cluster/tests.sh" 2>&1 || true)" "is no whole backup"
	head -c -9 "$C/backup" >"$C/cut"
	has "$("$TRITON" restore --data-dir "$C/7/data" "$C/cut" 2>&1 || true)" "is no whole backup"
	cp "$C/backup" "$C/bent"
	printf x | dd of="$C/bent" bs=1 seek=$(($(stat -c %s "$C/backup") / 2)) conv=notrunc status=none
	has "$("$TRITON" restore --data-dir "$C/7/data" "$C/bent" 2>&1 || true)" "is no whole backup"
	[ ! -e "$C/7/data" ] || fail "a refused file left something behind"
	has "$("$TRITON" restore --data-dir "$C/1/data" "$C/backup" 2>&1 || true)" "is not empty"
	mkdir "$C/disc"                               # from where nothing can be written
	mount -t tmpfs none "$C/disc"
	cp "$C/backup" "$C/disc/backup"
	mount -o remount,ro "$C/disc"
	"$TRITON" restore --data-dir "$C/7/data" "$C/disc/backup"
	umount "$C/disc"
	serve_start 7
	is "$(status_at 7 | jq -r '"\(.datacenter) \(.state.members)"')" "dc1 1"
	volumes_at 7 | grep -qx acknowledged || fail "what was acknowledged before the backup is not in it"
	! volumes_at 7 | grep -qx later || fail "what came later is in it"
	is "$(docker_at 7 network inspect -f '{{(index .IPAM.Config 0).Subnet}}' kept)" 10.99.0.0/24
	is "$(docker_at 7 ps -a --filter name=kept --format '{{.Names}}')" kept
	is "$("$TRITON" node list --run-dir "$RUN/7" | grep -c lost)" 3
	until_ok 10 write_at 7 mine
	docker_at 7 pull bb:1 2>/dev/null && fail "an image came from nowhere"
	tar -C "$C/busybox" -c . | docker_at 7 import - bb:2 >/dev/null
	is "$(docker_at 7 run --rm bb:2 echo works)" works
	join 8 7
	until_is 10 2 sh -c "'$TRITON' status --json --run-dir '$RUN/8' | jq -r .state.members"
	volumes_at 8 | grep -qx mine || fail "node 8 did not join the restored one"
	for n in $("$TRITON" node list --json --run-dir "$RUN/7" | jq -r '.[].node | select(.state == "lost") | .id'); do
		"$TRITON" node remove --force --run-dir "$RUN/7" "$n"
	done
	is "$("$TRITON" node list --run-dir "$RUN/8" | grep -c lost)" 0 "$("$TRITON" node list --run-dir "$RUN/8")"
	! volumes_at 1 | grep -qx mine || fail "the two are one"
	for i in 8 7; do
		kill -USR1 "$(serve_pid $i)"
		until_ok 20 sh -c "! [ -e /proc/$(serve_pid $i || echo none) ]"
		place_remove $i
		rm -rf "$RUN/$i" "$C/$i"
	done
}

records_at() { status_at "$1" | jq -r .records; }

# Clients that try again, until load.stop is there; how many were acknowledged is in load.
writes_through_7_8_9() {
	local k=0 tries
	rm -f "$C/load.stop"
	while [ ! -e "$C/load.stop" ]; do
		k=$((k + 1)) tries=0
		until write_at $(((k + tries) % 3 + 7)) "load-$k" 15; do
			tries=$((tries + 1))
			[ $tries -lt 100 ] || { echo "write $k failed $tries times" >"$C/load"; return 1; }
			sleep 0.1
		done
		echo $k >"$C/load"
		sleep 0.05
	done
}

# What nodes say of usage is counted once, whoever is killed while it is told, and none of it is lost.
usage_tell() { # all nodes write records and tell the state; one that is just starting does not
	local i pid
	for i in "$@"; do
		pid=$(role_pid "$i" node)
		[ "${pid:-0}" = 0 ] || kill -USR1 "$pid" 2>/dev/null || true
	done
}
usage_at() { "$TRITON" usage --account "$2" --last 24h --json --run-dir "$RUN/$1" | jq -c '[.totals | map(.container_seconds, .received_bytes)[]]'; } # NODE LOGIN
usage_records() { # LOGIN NODE...: what the records of these nodes add up to, as usage_at has it
	local login=$1 dirs=
	shift
	for i in "$@"; do dirs="$dirs $C/$i/data/usage"; done
	{ find $dirs -name '*.log' -exec cat {} +; find $dirs -name '*.log.gz' -exec zcat {} +; } | jq -cs --arg login "$login" \
		'map(select(.account == $login)) | [(map(.running_ms) | (add // 0) / 1000 + 0.5 | floor), (map(.network[]?.received) | add // 0)]'
}
usage_counted() { # NODE LOGIN SECONDS: at least these are counted, of nodes 7, 8 and 9
	usage_tell 7 8 9
	[ "$(usage_at "$1" "$2" | jq '.[0] // 0')" -ge "$3" ]
}
usage_recorded() { usage_tell "${@:2}"; [ "$(usage_records "$@" | jq '.[0]')" -gt 0 ]; } # LOGIN NODE...
usage_is_whole() { # LOGIN NODE...: each node's totals are what all records say
	local login=$1 want i
	shift
	usage_tell "$@"
	want=$(usage_records "$login" "$@")
	for i in "$@"; do [ "$(usage_at "$i" "$login")" = "$want" ] || return 1; done
}
test_usage_is_counted_once_whoever_is_killed() {
	accounts_begin
	account pay
	for k in 1 2 3 4 5 6; do as pay run -d --name "u$k" --network net bb:1 sleep 1000 >/dev/null; done
	for k in 1 2 3 4 5 6; do
		l=$(leader)
		usage_tell 1 2 3
		sleep 0.0$k
		case $k in
		1 | 4) kill -9 "$(role_pid "$l" state)" ;;
		2 | 5) kill -9 "$(role_pid $((l % 3 + 1)) node)" ;;
		*) kill -9 "$(serve_pid "$l")"; serve_start "$l" ;;
		esac
		for i in 1 2 3; do until_ok 20 write_at $i "told-$k"; done
		until_ok 20 as pay exec "u$k" ping -c 3 -W 2 "u$((k % 6 + 1))"
	done
	for k in 1 2 3 4 5 6; do until_ok 20 as pay kill "u$k"; done
	as pay wait u1 u2 u3 u4 u5 u6 >/dev/null
	ran=$(as pay inspect -f '{{.State.StartedAt}} {{.State.FinishedAt}}' u1 u2 u3 u4 u5 u6 | tr ' ' '\n' | xargs -n1 date +%s%3N -d | awk 'NR % 2 { s -= $1; next } { s += $1 } END { printf "%d", s / 1000 }')
	as pay rm u1 u2 u3 u4 u5 u6 >/dev/null
	as pay network rm net >/dev/null
	until_ok 60 usage_is_whole pay 1 2 3 || fail "records: $(usage_records pay 1 2 3), totals: $(for i in 1 2 3; do usage_at $i pay; done)"
	counted=$(usage_at 1 pay | jq '.[0]')
	[ "$counted" -ge $((ran - 1)) ] && [ "$counted" -le $((ran + 1)) ] || fail "they ran $ran s, $counted s were counted"
}

# Two builds with different kinds of records, side by side in a data center of their own.
test_C15_two_builds_side_by_side_under_load_and_containers() {
	new=$TRITON
	old=$C/triton-old
	cp "$ROOT/build/triton-records-1" "$old"
	for i in 7 8 9; do place_create $i; rm -rf "$C/$i"; done
	TRITON=$old
	serve_start 7
	join 8 7
	join 9 7
	TRITON=$new
	is "$(records_at 8)" 1
	tar -C "$C/busybox" -c . | docker_at 7 import - bb:2 >/dev/null
	for i in 7 8 9; do docker_at $i run -d --name "u$i" bb:2 sleep 1000 >/dev/null; done
	before=$(for i in 7 8 9; do docker_at 7 inspect -f '{{.State.Pid}} {{.State.StartedAt}}' "u$i"; done)
	until_ok 20 usage_recorded operator 7 8 9
	used=$(usage_records operator 7 8 9 | jq '.[0]')
	writes_through_7_8_9 & load=$!
	for i in 7 8 9; do
		is "$(records_at 8)" 1 "while node $i is old"
		[ $i = 7 ] || has "$(docker_at 7 create --mount type=image,src=bb:2,dst=/m bb:2 true 2>&1)" "before every node runs a newer build"
		has "$("$TRITON" usage --run-dir "$RUN/7" 2>&1)" "before every node runs a newer build"
		for k in 7 8 9; do until_ok 20 write_at $k "before-$i-$k"; done
		pid=$(serve_pid $i)
		kill -TERM "$pid"
		until_ok 20 sh -c "! [ -e /proc/$pid ]"
		serve_start $i
		for k in 7 8 9; do
			until_ok 20 write_at $k "after-$i-$k"
			until_ok 20 docker_at $k exec "u$i" true
		done
	done
	now=$(sed -n 's/^RECORDS *?= *//p' "$ROOT/Makefile")
	until_is 20 "$now" records_at 8
	touch "$C/load.stop"
	wait $load || fail "$(cat "$C/load")"
	for k in 7 8 9; do is "$(volumes_at $k | grep -c '^load-')" "$(cat "$C/load")" "acknowledged under load, on node $k"; done
	is "$(docker_at 7 run --rm --mount type=image,src=bb:2,dst=/m bb:2 sh -c 'ls -d /m/bin')" /m/bin
	until_ok 30 usage_counted 7 operator "$used"
	is "$(for i in 7 8 9; do docker_at 7 inspect -f '{{.State.Pid}} {{.State.StartedAt}}' "u$i"; done)" "$before" "containers run through"
	for k in 7 8 9; do is "$(volumes_at $k | grep -c '^before-\|^after-')" 18; done
	t=$(token 7)
	TRITON=$old
	has "$(joining --join 10.77.0.7:2377 --token "$t")" "knows records up to version 1, but this data center uses version $now"
	TRITON=$new
	place_remove 4 2>/dev/null || ip netns del "$NS-4"
	for i in 7 8 9; do kill -USR1 "$(serve_pid $i)"; done
	for i in 7 8 9; do
		until_ok 30 sh -c "! [ -e /proc/$(serve_pid $i || echo none) ]"
		place_remove $i
		rm -rf "$RUN/$i" "$C/$i"
	done
}
