# The nodes under test. Node I is 10.77.0.I in namespace $NS-I; its files are $C/I, its run directory $RUN/I.

NODES=3

on() { nsenter --net="/run/netns/$NS-$1" -- "${@:2}"; }                 # NODE COMMAND...
docker_at() { DOCKER_HOST=unix://$RUN/$1/docker.sock timeout -k 5 60 docker "${@:2}"; } # NODE ARGUMENT... (a client that passes SIGTERM on waits for what comes of it)
status_at() { timeout 10 "$TRITON" status --json --run-dir "$RUN/$1" 2>/dev/null; }
role_pid() { awk -v r="$2" '$1 == r { print $2 }' "$RUN/$1/roles"; }    # NODE ROLE
serve_pid() { cat "$RUN/$1/serve.pid" 2>/dev/null; }
alive() { [ "$1" ] && [ -e "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

fail() { echo "$*"; exit 1; }
is() { [ "$1" = "$2" ] || fail "it is \"$1\", not \"$2\"${3:+ ($3)}"; }
has() { case $1 in *"$2"*) ;; *) fail "no \"$2\" in: $1" ;; esac; }
# Limits of waiting are no figures: on a machine that stands still now and then they are PATIENCE times as long as they say.
PATIENCE=${PATIENCE:-3}
until_ok() { # SECONDS COMMAND...
	local until=$(($(date +%s) + $1 * PATIENCE))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $until ] || { echo "not in time: $*"; return 1; }
		sleep 0.05
	done
}
until_is() { # SECONDS WANTED COMMAND...
	local until=$(($(date +%s) + $1 * PATIENCE)) got
	while got=$("${@:3}" 2>/dev/null); [ "$got" != "$2" ]; do
		[ "$(date +%s)" -lt $until ] || fail "after $(($1 * PATIENCE)) s it is still \"$got\", not \"$2\": ${*:3}"
		sleep 0.05
	done
}
# What the machine may spoil by standing still is tried again: of three tries one must show it.
best_of_three() { # COMMAND...: gets the number of the try as well. Never in a condition: there set -e means nothing
	local try status
	for try in 1 2 3; do
		set +e
		(set -e; "$@" $try)
		status=$?
		set -e
		[ $status != 0 ] || return 0
		link clear
	done
	fail "not in three tries: $*"
}
now_ms() { echo $(($(date +%s%N) / 1000000)); }

write_at() { # NODE NAME: one acknowledged change; fails when it was not acknowledged
	curl -sf --max-time "${3:-20}" --unix-socket "$RUN/$1/docker.sock" -X POST -H 'Content-Type: application/json' \
		-d "{\"Name\":\"$2\"}" http://d/volumes/create >/dev/null
}
volumes_at() { docker_at "$1" volume ls -q | sort; }
leader_now() { # who says that it leads, in the newest term; nothing: nobody
	local i
	for i in $(seq $NODES); do status_at "$i" | jq -r "select(.state.leader) | \"\(.state.term) $i\""; done | sort -n | tail -1 | cut -d' ' -f2
}
leader() { # waits for one
	local l k
	for k in $(seq 300); do
		l=$(leader_now)
		[ -z "$l" ] || break
		sleep 0.1
	done
	echo "$l"
}
term() { status_at "$1" | jq -r .state.term; }
# A change that must not fail as long as nobody else is elected; when somebody was, since the machine stood still, it may fail and is tried again.
steady_write() { # NODE NAME
	local before
	before=$(term "$1")
	write_at "$1" "$2" && return
	[ "$(term "$1")" != "$before" ] && until_ok 20 write_at "$1" "$2"
}

# --- the place: e0 of each node hangs on the wire (link.c) -------------------------------------------

link() { "$ROOT/build/harness/link" "$C/link.sock" "$@"; }
link_start() { # SEED
	"$ROOT/build/harness/link" serve "$C/link.sock" "$1" >"$C/link.out" 2>&1 </dev/null &
	LINK_PID=$!
	until_ok 5 link show
}
place_create() { # I
	ip netns add "$NS-$1" && link add "$1" "/run/netns/$NS-$1" || return 1
	on "$1" ip link set lo up && on "$1" ip link set e0 address "02:00:0a:4d:00:0$1" && on "$1" ip addr add "10.77.0.$1/24" dev e0 && on "$1" ip link set e0 up &&
		on "$1" ip route add default via 10.77.0.254
}
place_remove() { # I
	link remove "$1"
	ip netns del "$NS-$1"
}
node_forget() { # I: what its killed serve left, namespaces of networks among it
	grep -o " $RUN/$1/[^ ]*" /proc/self/mountinfo | sort -r | xargs -r umount -l
	rm -rf "$C/$1" "$RUN/$1"
}
link_down() { link set "$1" '*' cut=1 && link set '*' "$1" cut=1; } # I: silence, as of a pulled cable; nobody is told
link_up() { link set "$1" '*' cut=0 && link set '*' "$1" cut=0; }

serve_start() { # I FLAG...: waits until it serves
	local i=$1 name=${NAME-n$1}                   # NAME= : it has no --name
	shift
	mkdir -p "$C/$i"
	: >"$C/$i/serve.out"
	on "$i" setsid "$TRITON" serve --data-dir "$C/$i/data" --run-dir "$RUN/$i" --peer "10.77.0.$i:2377" --instance "cl$$-$i" \
		--uid-base $((UID_BASE + i * 16)) ${name:+--name "$name"} "$@" >"$C/$i/serve.out" 2>>"$C/$i/serve.err" </dev/null &
	until_ok 20 grep -q 'serves data center' "$C/$i/serve.out"
}
token() { "$TRITON" token --run-dir "$RUN/${1:-1}" "${@:2}" | sed -n 's/.*--token //p'; } # NODE FLAG...
join() { serve_start "$1" --join "10.77.0.${2:-1}:2377" --token "$(token "${2:-1}")"; } # I [VIA]

voters() { status_at "$1" | jq -r .state.voters; }

cluster_create() {
	link_start "${SEED:-1}" || return 1
	for i in $(seq $NODES); do place_create "$i" || return 1; done
	serve_start 1 || return 1
	for i in $(seq 2 $NODES); do join "$i" || return 1; done
	until_ok 30 sh -c "[ \"\$('$TRITON' status --json --run-dir '$RUN/1' | jq -r .state.voters)\" = $((NODES < 5 ? 3 : 5)) ]" || return 1
	busybox_image
}

busybox_image() { # an image of busybox only, made on node 2
	local dir=$C/busybox applet
	mkdir -p "$dir"/{bin,tmp,etc}
	cp "$(command -v busybox)" "$dir/bin/busybox"
	for applet in sh echo sleep cat ip ping hostname wget httpd nslookup dd true; do ln -sf busybox "$dir/bin/$applet"; done
	tar -C "$dir" --numeric-owner --owner=0 --group=0 -c . | docker_at 2 import - bb:1 >/dev/null
}

# --- a node with a clock of its own: it runs build/triton-clock, see clock.c ---------------------------

clock_of() { echo "$C/triton-clock-$1"; }                               # NODE: its program
clock_set() { # NODE SECONDS PERMILLE [PERMILLE]: so much later than it is, and how many thousandths of a second pass in one from now on; of the monotonic one
	python3 - "$(clock_of "$1").clock" "$2" "$3" "${4:-1000}" <<-'END'
		import os, struct, sys, time
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)
		old = os.pread(fd, 104, 0)
		which = 1 - struct.unpack("<q", old[:8])[0] if old else 0
		now, boot = time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
		at = struct.unpack_from("<qqqqqq", old, 8 + 48 * (1 - which)) if old else (0, 0, 0, 0, 0, 1000)
		skew = at[3] + (boot - at[4]) // 1000 * (at[5] - 1000)
		one = struct.pack("<qqqqqq", now + int(sys.argv[2]) * 10**9, now, int(sys.argv[3]), skew, boot, int(sys.argv[4]))
		os.pwrite(fd, one, 8 + 48 * which) if old else os.pwrite(fd, b"\0" * 8 + one + one, 0)
		os.pwrite(fd, struct.pack("<q", which), 0)
	END
}
clock_give() { # NODE: it is started again with one, which is right
	cp "$ROOT/build/triton-clock" "$(clock_of "$1")"
	clock_set "$1" 0 1000
	node_stop "$1"
	TRITON=$(clock_of "$1") serve_start "$1"
}
node_stop() { # NODE: as planned; its containers run on
	local pid
	pid=$(serve_pid "$1")
	kill -TERM "$pid"
	until_ok 20 sh -c "! [ -e /proc/$pid ]"
}

# --- accounts, over TLS through node 1 ---------------------------------------------------------------

A=$C/clients
accounts_begin() {
	mkdir -p "$A"
	cp "$C/1/data/ca/cert.pem" "$A/ca.pem"
	tar -C "$C/busybox" --numeric-owner --owner=0 --group=0 -cf "$C/busybox.tar" .
}
account() { # LOGIN: with a certificate of its own, an image and a network
	local dir=$A/$1
	certificate "$dir" "$1" && "$TRITON" account add "$1" --key "$dir/line" --run-dir "$RUN/1" >/dev/null || return 1
	as "$1" import - bb:1 <"$C/busybox.tar" >/dev/null && as "$1" network create net >/dev/null
}
certificate() { # DIRECTORY LOGIN
	mkdir -p "$1" && ssh-keygen -q -t ecdsa -m PEM -N '' -f "$1/key.pem" && mv "$1/key.pem.pub" "$1/line" &&
		openssl req -x509 -key "$1/key.pem" -subj "/CN=$2" -days 2 -out "$1/cert.pem" 2>/dev/null && cp "$A/ca.pem" "$1/ca.pem"
}
as() { on 1 env DOCKER_HOST=tcp://127.0.0.1:2376 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH="$A/$1" docker "${@:2}"; } # LOGIN ARGUMENT...

# Three nodes that serve, linked, with a leader, without containers, volumes and networks of a test.
cluster_heal() {
	local i pid
	link clear
	for i in 4 5; do                              # those of a test that failed
		[ $i -gt $NODES ] && [ -e "/run/netns/$NS-$i" ] || continue
		pid=$(serve_pid $i)
		alive "$pid" && kill -9 "$pid"
		[ -s "$C/$i/data/node" ] && "$TRITON" node remove "$(cat "$C/$i/data/node")" --force --run-dir "$RUN/1" >/dev/null
		place_remove $i
		node_forget $i
	done
	for i in $(seq $NODES); do
		[ ! -e "$(clock_of $i).clock" ] || clock_set $i 0 1000
		for pid in $(awk '{ print $2 }' "$RUN/$i/roles" 2>/dev/null); do [ "$pid" != 0 ] && kill -CONT "$pid" 2>/dev/null; done
		[ -s "$C/$i/data/node" ] || { echo "node $i has lost its data"; return 1; } # it would found a data center of its own
		alive "$(serve_pid "$i")" || serve_start "$i" || return 1
	done
	for i in $(seq $NODES); do until_ok 20 write_at "$i" "healed-$i" || { echo "node $i does not take changes"; return 1; }; done
	docker_at 1 ps -aq | xargs -r env DOCKER_HOST="unix://$RUN/1/docker.sock" docker rm -f >/dev/null
	docker_at 1 volume ls -q | xargs -r env DOCKER_HOST="unix://$RUN/1/docker.sock" docker volume rm >/dev/null
	docker_at 1 network prune -f >/dev/null
}

# What is there all the same, after a node that did not stop.
cluster_sweep() {
	local p
	for p in /proc/[0-9]*; do case $(readlink "$p/exe" 2>/dev/null) in "$TRITON"*) kill -KILL "${p#/proc/}" 2>/dev/null ;; esac; done
	for p in $(grep -ls "/triton-cl$$-" /proc/[0-9]*/cgroup | cut -d/ -f3); do kill -KILL "$p" 2>/dev/null; done
	sleep 0.2
	grep -e "$C/" -e "$RUN/" /proc/self/mountinfo | cut -d' ' -f5 | tac | xargs -r -n1 umount -l
	find /sys/fs/cgroup -depth -type d -path "*/triton-cl$$-*" -exec rmdir {} + 2>/dev/null
}

cluster_destroy() {
	local i pid
	for i in "$RUN"/*/; do
		i=$(basename "$i")
		for pid in $(awk '{ print $2 }' "$RUN/$i/roles" 2>/dev/null); do [ "$pid" != 0 ] && kill -CONT "$pid" 2>/dev/null; done
		pid=$(serve_pid "$i")
		alive "$pid" && kill -USR1 "$pid"     # stops its containers, too
	done
	for i in "$RUN"/*/; do until_ok 30 sh -c "! [ -e /proc/$(serve_pid "$(basename "$i")" || echo none) ]"; done
	[ "${LINK_PID:-}" ] && kill "$LINK_PID"
	cluster_sweep
	for i in $(ip netns list | sed -n "s/^\($NS-[^ ]*\).*/\1/p"); do ip netns del "$i"; done
}

log_mark() { for i in "$C"/*/serve.err; do stat -c %s "$i" >"$i.mark"; done 2>/dev/null; }
log_tail() {
	local i
	for i in "$C"/*/serve.err; do
		tail -c "+$(($(cat "$i.mark" 2>/dev/null || echo 0) + 1))" "$i" | grep -v '"level":[123]0' | tail -4 | cut -c 1-300
	done
}
