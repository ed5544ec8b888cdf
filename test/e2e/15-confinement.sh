# What each running process of triton could still do if somebody took it over: its user, its rights, its root, what it holds
# open, its limits. test/unit/role/confine_test.c tries the same sandboxes from within.

status_of() { awk -v key="$2:" '$1 == key { $1 = ""; print substr($0, 2) }' "/proc/$1/status"; }   # PID KEY
limit_of() { awk -v key="$2" 'index($0, key) == 1 { print $(NF - 1) }' "/proc/$1/limits"; }         # PID NAME: the hard limit

# Every kind of thing that a process holds, once, files with their path below the data directory.
holds() { # PID
	find "/proc/$1/fd" -mindepth 1 -printf '%l\n' 2>/dev/null | sed -e 's/:\[[0-9]*\]$//' -e "s|^$(readlink -f "$DATA")|DATA|" | sort -u
}

holds_only() { # PID WHAT PATTERN...: each thing fits one of the shell patterns
	local pid=$1 what=$2 one p
	shift 2
	while read -r one; do
		for p in "$@"; do
			# shellcheck disable=SC2053
			[[ $one == $p ]] && continue 2
		done
		fail "$what holds $one"
	done <<<"$(holds "$pid")"
}

COMMON=(/dev/null socket pipe 'anon_inode:\[event*\]' 'anon_inode:\[signalfd\]' 'anon_inode:\[timerfd\]')
VIEW=(DATA/state/db/data.mdb DATA/state/db/lock.mdb)

has_no_rights() { # PID WHAT
	local key uid=$(status_of "$1" Uid | awk '{print $1}')
	[ "$uid" != 0 ] || fail "$2 is root"
	for key in Uid Gid; do
		is "$(status_of "$1" $key)" "$uid $uid $uid $uid" "$key of $2"
	done
	is "$(status_of "$1" Groups)" "" "groups of $2"
	for key in CapInh CapPrm CapEff CapBnd CapAmb; do
		is "$(status_of "$1" $key)" 0000000000000000 "$key of $2"
	done
	is "$(status_of "$1" NoNewPrivs)" 1 "NoNewPrivs of $2"
	is "$(status_of "$1" Seccomp)" 2 "Seccomp of $2"
	is "$(limit_of "$1" 'Max core file size')" 0 "core files of $2"
}

reads_only() { # PID FILE: no descriptor of this file is writable
	local fd
	for fd in "/proc/$1/fd"/*; do
		[ "$(readlink "$fd")" = "$2" ] || continue
		is "$(awk '/^flags:/ { print $2 % 10 }' "/proc/$1/fdinfo/${fd##*/}")" 0 "access of process $1 to $2"
	done
}

test_api_has_nothing_but_sockets_and_the_view() {
	local pid=$(role_pid api)
	has_no_rights "$pid" api
	is "$(ls -A "/proc/$pid/root/")" "" "root of api"
	holds_only "$pid" api "${COMMON[@]}" "${VIEW[@]}"
	reads_only "$pid" "$(readlink -f "$DATA")/state/db/data.mdb"
	[ "$(limit_of "$pid" 'Max processes')" -le 8192 ] || fail "api may have $(limit_of "$pid" 'Max processes') threads"
}

test_dns_has_nothing_but_sockets_and_the_view() {
	local pid=$(role_pid dns)
	has_no_rights "$pid" dns
	is "$(ls -A "/proc/$pid/root/")" "" "root of dns"
	holds_only "$pid" dns "${COMMON[@]}" "${VIEW[@]}" /etc/resolv.conf "$(readlink -f /etc/resolv.conf)"
	reads_only "$pid" "$(readlink -f "$DATA")/state/db/data.mdb"
	is "$(limit_of "$pid" 'Max processes')" 1 "processes of dns"
}

test_scheduler_has_nothing_but_two_channels_and_the_view() {
	local pid=$(role_pid scheduler)
	has_no_rights "$pid" scheduler
	is "$(ls -A "/proc/$pid/root/")" "" "root of scheduler"
	holds_only "$pid" scheduler "${COMMON[@]}" "${VIEW[@]}"
	reads_only "$pid" "$(readlink -f "$DATA")/state/db/data.mdb"
	is "$(limit_of "$pid" 'Max processes')" 1 "processes of scheduler"
}

test_state_has_its_directory_only() {
	local pid=$(role_pid state)
	has_no_rights "$pid" state
	is "$(stat -Lc %d:%i "/proc/$pid/root")" "$(stat -Lc %d:%i "$DATA/state")" "root of state"
	holds_only "$pid" state "${COMMON[@]}" "${VIEW[@]}" DATA/state/db DATA/state/log 'DATA/state/log/log-*'
	is "$(limit_of "$pid" 'Max processes')" 64 "threads of state"
	is "$(limit_of "$pid" 'Max open files')" 256 "descriptors of state"
}

test_root_processes_do_not_listen_and_hold_no_key() {
	local name
	for name in serve node; do
		has_not "$(holds "$(role_pid $name)")" .pem
	done
	has_not "$(ss -Hltnp 2>/dev/null | grep -v docker-registry || true)" triton-node
}

user_ns() { readlink "/proc/$1/ns/user"; }                                                           # PID

is_there() { # PID DIRECTORY WHAT: its root is this directory
	is "$(stat -Lc %d:%i "/proc/$1/root")" "$(stat -Lc %d:%i "$2")" "root of $3"
}

# What runs beside a container holds nothing of the state, of the keys or of other containers.
test_a_shim_and_an_agent_hold_what_is_their_containers() {
	local id other shim agent part
	other=$(docker run -d --name another busybox sleep 100)
	id=$(docker run -d --name watched busybox sleep 100)
	shim=$(shim_of watched)
	settled() { [ "$(status_of "$shim" Seccomp)" = 2 ]; }
	wait_for 10 settled
	is_there "$shim" "$DATA/containers/$id" shim
	for part in .pem state blobs "$other" data.mdb /containers; do
		has_not "$(holds "$shim")" "$part"
	done
	agent=$(pgrep -P "$shim" -x triton-agent) || fail "the shim has no agent"
	holds_only "$agent" agent /dev/null socket pipe
	docker rm -f watched another >/dev/null
}

# A shim is root, but its rights (CHOWN, DAC_OVERRIDE) are for pipes and memory of its container: there is no file it could reach.
test_a_shim_can_do_nothing_but_its_work() {
	local shim key
	docker run -d --name watched busybox sleep 100 >/dev/null
	shim=$(shim_of watched)
	settled() { [ "$(status_of "$shim" Seccomp)" = 2 ]; }
	wait_for 10 settled
	for key in CapPrm CapEff CapBnd; do
		is "$(status_of "$shim" $key)" 0000000000000003 "$key of the shim"
	done
	for key in CapInh CapAmb; do
		is "$(status_of "$shim" $key)" 0000000000000000 "$key of the shim"
	done
	is "$(status_of "$shim" Uid)" "0 0 0 0" "user of the shim"
	is "$(status_of "$shim" Groups)" "" "groups of the shim"
	is "$(status_of "$shim" NoNewPrivs)" 1 "NoNewPrivs of the shim"
	is "$(limit_of "$shim" 'Max core file size')" 0 "core files of the shim"
	docker rm -f watched >/dev/null
}

# An agent is a process of its container, that nobody in there sees.
test_an_agent_is_inside_its_container() {
	local init agent ns
	docker run -d --name watched busybox sleep 100 >/dev/null
	init=$(inspect watched '{{.State.Pid}}')
	agent=$(pgrep -P "$(shim_of watched)" -x triton-agent)
	inside_too() { [ "$(user_ns "$agent")" = "$(user_ns "$init")" ]; }
	wait_for 10 inside_too
	is "$(status_of "$agent" Uid)" "$(status_of "$init" Uid)" "user of the agent"
	for ns in mnt net ipc uts cgroup; do
		is "$(readlink "/proc/$agent/ns/$ns")" "$(readlink "/proc/$init/ns/$ns")" "$ns of the agent"
	done
	is_there "$agent" "/proc/$init/root" agent
	has_not "$(docker exec watched ps)" triton-agent
	is "$(docker exec -u 1000 watched grep NoNewPrivs /proc/self/status)" "$(printf 'NoNewPrivs:\t0')" "of an exec"
	is "$(docker exec watched grep -c . /proc/self/mountinfo)" "$(grep -c . "/proc/$init/mountinfo")" "mounts that an exec sees"
	docker rm -f watched >/dev/null
}

# Where the machine's users are the container's, its shim may signal and answer them, and not more.
test_a_shim_of_a_container_without_user_namespace() {
	local shim
	as boss docker run -d --name watched --userns host busybox sleep 100 >/dev/null
	shim=$(parent_of "$(as boss docker inspect -f '{{.State.Pid}}' watched)")
	settled() { [ "$(status_of "$shim" Seccomp)" = 2 ]; }
	wait_for 10 settled
	is "$(status_of "$shim" CapBnd)" 0000000000080023 "CapBnd of the shim"
	is "$(as boss docker exec -u 1000 watched id -u)" 1000 "user of an exec"
	as boss docker exec -d -u 1000 watched sleep 50
	as boss docker rm -f watched >/dev/null
}

# Its archive comes from a pipe that stays silent, so that the process that would unpack it waits.
test_a_process_that_loads_an_image_is_confined() {
	local pid load child
	mkfifo "$TMP/archive"
	exec 3<>"$TMP/archive"
	docker load <"$TMP/archive" >"$TMP/out" 2>&1 3>&- &
	load=$!
	printf x >&3
	loading() { pid=$(pgrep -P "$(role_pid node)" -x triton-pull) && [ "$(status_of "$pid" Seccomp)" = 2 ]; }
	wait_for 10 loading
	has_no_rights "$pid" pull
	for child in bin proc dev root etc/passwd; do
		[ ! -e "/proc/$pid/root/$child" ] || fail "pull sees /$child"
	done
	holds "$pid" >"$TMP/pull"
	for child in DATA/state DATA/ca DATA/tls DATA/containers triton.sock docker.sock; do
		has_not "$(cat "$TMP/pull")" "$child"
	done
	is "$(limit_of "$pid" 'Max open files')" 256 "descriptors of pull"
	exec 3>&-
	wait $load && fail "an archive of one byte was taken: $(cat "$TMP/out")"
	gone() { [ ! -d "/proc/$pid" ]; }
	wait_for 10 gone
}
