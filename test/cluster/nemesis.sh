# What goes wrong: each fault_* does one thing to the nodes while clients ask, and undoes it. Chosen by bash's RANDOM, which SEED begins.
# `victim` is the leader in one of two times. Read by soak; tests.sh plays some of them one at a time.

pick() { echo $((RANDOM % $1)); }
between() { awk "BEGIN { printf \"%.2f\", $1 + ($2 - $1) * $RANDOM / 32767 }"; } # SECONDS SECONDS
victim() {
	local l
	l=$(leader_now)
	[ "$l" ] && [ $((RANDOM % 2)) = 0 ] && { echo "$l"; return; }
	echo $((RANDOM % NODES + 1))
}
told() { echo "$(now_ms) $*" >>"$C/nemesis"; }
state_pid() { role_pid "$1" state; }
serve_again() { alive "$(serve_pid "$1")" || serve_start "$1"; }

# --- the wire ---

fault_partition() { # one node alone
	local v=$1
	link_down "$v"
	sleep "$(between 1 6)"
	link_up "$v"
}
fault_C06_deaf() { # it hears nobody, and is heard
	link set '*' "$1" cut=1
	sleep "$(between 2 6)"
	link set '*' "$1" cut=0
}
fault_C06_mute() {
	link set "$1" '*' cut=1
	sleep "$(between 2 6)"
	link set "$1" '*' cut=0
}
fault_C07_bridge() { # all ways but those of one node
	local i k
	for i in $(seq $NODES); do
		for k in $(seq $NODES); do
			[ "$i" = "$k" ] || [ "$i" = "$1" ] || [ "$k" = "$1" ] || link set "$i" "$k" cut=1
		done
	done
	sleep "$(between 2 5)"
	link set '*' '*' cut=0
}
fault_C07_flapping() {
	local k
	for k in 1 2 3 4 5 6; do
		link_down "$1"
		sleep "$(between 0.2 0.8)"
		link_up "$1"
		sleep "$(between 0.2 0.8)"
	done
}
fault_C14_a_bad_wire() {
	case $((RANDOM % 4)) in
	0) link set '*' '*' drop=1000 dup=1000 ;;
	1) link set '*' '*' delay=200 jitter=100 reorder=500 ;;
	2) link set '*' '*' corrupt=30 ;;
	3) link set '*' '*' drop=500 dup=500 reorder=1000 delay=20 jitter=20 rate=2000 ;;
	esac
	sleep "$(between 3 8)"
	link clear
}

# --- processes ---

fault_C01_state_is_killed() { kill -9 "$(state_pid "$1")"; sleep "$(between 0 1)"; }
fault_D01_a_role_is_killed() {
	local role
	for role in api node peer scheduler dns; do [ $((RANDOM % 3)) = 0 ] && kill -9 "$(role_pid "$1" $role)" 2>/dev/null; done
	sleep "$(between 0 1)"
}
fault_C02_a_node_is_killed() {
	kill -9 "$(serve_pid "$1")"
	sleep "$(between 0 4)"
	serve_again "$1"
}
fault_C03_all_are_killed() {
	local i
	for i in $(seq $NODES); do kill -9 "$(serve_pid "$i")"; done
	for i in $(seq $NODES); do serve_again "$i" & STARTED="${STARTED:-} $!"; done
	wait $STARTED
	STARTED=
}
fault_C15_restart() {
	kill -TERM "$(serve_pid "$1")"
	until_ok 20 sh -c "! [ -e /proc/$(serve_pid "$1" || echo none) ]"
	serve_again "$1"
}
fault_C19_state_sleeps() {
	local pid
	pid=$(state_pid "$1")
	kill -STOP "$pid"
	sleep "$(between 1 5)"
	kill -CONT "$pid"
}

# --- disks: what the state role asks of its disk is made to wait or fail ---

inject() { # NODE SECONDS RULE
	timeout -s INT "$2" strace -f -qq -o /dev/null -e trace=fdatasync,pwrite64,fallocate -e inject="$3" -p "$(state_pid "$1")" 2>/dev/null
	true
}
fault_C10_a_slow_disk() { inject "$1" "$(between 2 5)" fdatasync:delay_enter=$((100000 + RANDOM * 10)); }
fault_C11_a_failed_sync() { inject "$1" 2 fdatasync:error=EIO:when=1; }
fault_C09_a_full_disk() { inject "$1" "$(between 2 4)" fallocate,pwrite64:error=ENOSPC; }

FAULTS=$(declare -F | sed -n 's/^declare -f fault_//p')

nemesis() { # SECONDS
	local until=$(($(now_ms) + $1 * 1000)) all fault v
	all=($FAULTS)
	while [ "$(now_ms)" -lt $until ]; do
		fault=${all[RANDOM % ${#all[@]}]}
		v=$(victim)
		told "$fault on node $v"
		FAULTS_PLAYED=$((${FAULTS_PLAYED:-0} + 1))
		"fault_$fault" "$v" >>"$C/nemesis" 2>&1
		sleep "$(between 0.2 2)"
	done
}
