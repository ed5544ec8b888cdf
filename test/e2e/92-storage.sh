# A disk that is full, slow or broken, and roles that run out of descriptors or memory: new work is refused with a sentence, what
# runs goes on, and when it is over all is well without a restart. (What becomes of the files of the state: test/power.)
# An instance of its own on a file system in a file.

fs=ext4 mount_flags=errors=remount-ro
small_start() { # MKFS-FLAG...
	disk=$TMP/disk serve= run=$(mktemp -d /tmp/triton-e2e4.XXXXXX)   # not local: the trap runs outside
	trap 'set +e; trap - ERR; fsfreeze -u "$disk" 2>/dev/null; small_stop
		grep -e "$disk" -e "$run" /proc/self/mountinfo | cut -d" " -f5 | tac | xargs -r -n1 umount -l; rm -rf "$run" "$TMP"' EXIT
	modprobe loop 2>/dev/null || true
	mkdir -p "$disk"
	truncate -s 400M "$TMP/disk.img"
	mkfs.$fs -q "$@" "$TMP/disk.img" 2>/dev/null || skip "no mkfs.$fs"
	small_mount
	small_serve
	small import -c 'ENV PATH=/bin' "$E2E/busybox.tar" busybox >/dev/null
	small run -d --name old busybox sh -c 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done' >/dev/null
}

small_mount() { mount -t $fs -o "loop,$mount_flags" "$TMP/disk.img" "$disk" 2>/dev/null || skip "a loop device with $fs ($mount_flags) cannot be mounted here"; }

small_serve() {
	"$TRITON" serve --data-dir "$disk/data" --run-dir "$run" --docker "" --cloudapi "" --peer "" --instance "$NAME-s" --uid-base 64500 \
		>"$TMP/out" 2>"$TMP/err" </dev/null &
	serve=$!
	until_ok 15 small ps || fail "serve is not ready: $(tail -n 5 "$TMP/err" "$TMP/out")"
}

small_stop() {
	[ -z "$serve" ] || { kill -USR1 $serve; wait $serve; } 2>/dev/null
	serve=
}

# What nobody can write down that it ended: the containers, their shims, their control groups, the firewall's table.
small_forget() {
	local pid pids groups shim
	groups=$(find /sys/fs/cgroup -maxdepth 2 -type d -name "triton-$NAME-s")
	pids=$(find $groups -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u) || true # zygotes go by themselves
	for pid in $pids; do                                               # the shims first: what ends after them is seen by none
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = triton-agent ] || continue
		shim=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status" 2>/dev/null) || continue # a zygote's, and it went by itself
		[ "$shim" -le 1 ] || kill -KILL "$shim" 2>/dev/null || true
	done
	[ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
	gone() { find $groups -depth -type d -exec rmdir {} + 2>/dev/null; ! ls -d $groups 2>/dev/null; }
	wait_for 10 gone
	nft delete table ip "triton-$NAME-s" 2>/dev/null || true
}

# Two limits of time: `docker run` does not go at SIGTERM.
small() { timeout -k 1 $((10 * ${E2E_SLOW:-1})) env -u DOCKER_TLS_VERIFY -u DOCKER_CERT_PATH DOCKER_HOST="unix://$run/docker.sock" docker "$@"; }
small_role() { awk -v role="$1" '$1 == role { print $2 }' "$run/roles"; }
small_works() { small run --rm busybox true && small volume create && small exec old true; }

# Its output goes on.
old_runs() {
	local before
	before=$(small logs --tail 1 old)
	more() { [ "$(small logs --tail 1 old)" -gt "$before" ]; }
	wait_for 20 more
}

# As the role's own user: this machine's root may not change the limits of others.
small_limit() { # ROLE PRLIMIT-FLAG
	local pid uid gid
	pid=$(small_role "$1")
	uid=$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status") gid=$(awk '/^Gid:/ { print $2 }' "/proc/$pid/status")
	setpriv --reuid "$uid" --regid "$gid" --clear-groups prlimit --pid "$pid" "$2"
}

test_full_inodes_c09() {
	local left
	small_start -N 1500
	left=$(df --output=iavail "$disk" | tail -1)
	mkdir "$disk/filler"
	(cd "$disk/filler" && seq "$left" | xargs touch 2>/dev/null) || true
	is "$(df --output=iavail "$disk" | tail -1 | tr -d ' ')" 0
	refused "No space left on device" small run --rm busybox true
	refused "No space left on device" small import "$E2E/busybox.tar" more
	refused "No space left on device" small commit old more
	small exec old true
	old_runs
	rm -r "$disk/filler"
	wait_for 10 small_works
}

test_no_descriptors_d07() {
	local role pid highest limit
	small_start
	for role in node state; do
		pid=$(small_role $role)
		highest=$(ls "/proc/$pid/fd" | sort -n | tail -1)
		limit=$(awk '/^Max open files/ { print $4 }' "/proc/$pid/limits")
		small_limit $role --nofile=$((highest + 1)):
		if [ $role = node ]; then
			refused "escriptors" small run -d --rm busybox true
			refused "" small import "$E2E/busybox.tar" more
		else
			small volume create >/dev/null                     # needs none there
		fi
		small ps >/dev/null
		small_limit $role --nofile=$limit:
		wait_for 10 small_works
		is "$(small_role $role)" "$pid" "the $role role's process"
	done
	old_runs
}

test_no_memory_d07() {
	local role pid size out
	small_start
	for role in api state; do
		pid=$(small_role $role)
		size=$(awk '/^VmSize:/ { print $2 }' "/proc/$pid/status")
		small_limit $role --as=$((size * 1024 + 8192)):
		out=$(small run --rm busybox true 2>&1) || true
		wait_for 10 small_works                                    # in its place a new one started
		kill -0 "$(small_role $role)"
	done
	old_runs
}

# All roles together have 64 MiB, and many clients send more than that: whoever is ended comes again, in the same room.
test_64_mib_for_all_roles_d07() {
	local group=/sys/fs/cgroup/memory limit=memory.limit_in_bytes pid init count
	[ -e $group ] || group=/sys/fs/cgroup limit=memory.max
	group+=/triton-$NAME-tight
	kills() { grep -h '^oom_kill ' "$group"/memory.{oom_control,events} 2>/dev/null | tr -dc "0-9" || true; }
	small_start
	init=$(small inspect -f '{{.State.Pid}}' old)
	mkdir "$group"
	echo 64M >"$group/$limit"
	for pid in $serve $(awk '{ print $2 }' "$run/roles"); do echo "$pid" >"$group/cgroup.procs"; done
	count=$(small images -q | wc -l)
	small_works                                                        # it is enough
	small import "$E2E/busybox.tar" more >/dev/null
	small commit old another >/dev/null
	is "$(kills)" 0 "processes ended by the kernel"
	python3 - "$run/docker.sock" <<-'END'
		import socket, sys, time
		head = b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
		clients = []
		for i in range(150):
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(2)
		    try:
		        s.connect(sys.argv[1])
		        s.sendall(head + b" " * 990000)
		    except OSError:
		        pass
		    clients.append(s)
		time.sleep(1)
	END
	wait_for 15 small_works
	is "$(small images -q | wc -l)" $((count + 2))
	is "$(small inspect -f '{{.State.Pid}}' old)" "$init"
	kill -0 $serve
	old_runs
	small_stop
	wait_for 10 rmdir "$group"
}

test_a_slow_disk_c10() {
	local pid took begin
	small_start
	pid=$(small_role state)
	if command -v strace >/dev/null; then
		env timeout $((20 * ${E2E_SLOW:-1})) strace -f -p "$pid" -e trace=fdatasync -e inject=fdatasync:delay_enter=300000 -o "$TMP/strace" 2>"$TMP/strace.err" &
		wait_for 20 grep -q attached "$TMP/strace.err"
		begin=$(date +%s%N)
		small volume create >/dev/null
		took=$((($(date +%s%N) - begin) / 1000000))
		[ $took -ge 300 ] || fail "a change took $took ms, though a sync takes 300"
		kill %2 2>/dev/null; wait %2 2>/dev/null || true
	fi
	fsfreeze -f "$disk"                                                # no write ends any more
	small volume create late >"$TMP/late" 2>&1 &
	sleep 1
	is "$(cat "$TMP/late")" ""
	fsfreeze -u "$disk"
	done_late() { grep -qx late "$TMP/late"; }
	wait_for 10 done_late
	is "$(small_role state)" "$pid" "the state role's process"
	wait_for 10 small_works
	old_runs
}

# No room for records of what containers used: they run and end all the same, and when there is room each run is there once.
test_a_full_disk_under_usage() {
	local dir
	small_start
	kill -TERM $serve
	wait $serve || true
	dir=$disk/data/usage
	mount -t tmpfs -o size=256k tmpfs "$dir"
	small_serve
	dd if=/dev/zero of="$dir/filler" bs=4k 2>/dev/null || true
	small create --name burns busybox sh -c 'i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done' >/dev/null
	small start -a burns
	small start -a burns
	small rm burns >/dev/null
	wait_for 10 grep -q 'usage cannot be written down' "$run/log/triton.log"
	kill -USR1 "$(small_role node)"
	small_works
	old_runs
	is "$(grep -c 'usage cannot be written down' "$run/log/triton.log")" 1 "times that it is said"
	rm "$dir/filler"
	lines() { kill -USR1 "$(small_role node)"; find "$dir" -name "20*.log" -exec cat {} + | grep "\"name\":\"$1\"" >"$TMP/lines"; }
	removed() { lines burns && grep -q '"removed"' "$TMP/lines"; }
	another() { lines old && [ "$(wc -l <"$TMP/lines")" -ge "$1" ]; }
	wait_for 10 removed
	lines old
	wait_for 10 another $(($(wc -l <"$TMP/lines") + 2))
	lines burns
	is "$(jq -s 'map(.runs) | add' "$TMP/lines")" 2 runs
	is "$(jq -s 'map(.cpu_ns) | add > 1000000' "$TMP/lines")" true "processor time: $(cat "$TMP/lines")"
}

# ext4 does this to itself after an error; only a check and a new mount end it.
test_a_file_system_that_turns_read_only_c11() {
	local dev
	small_start
	dev=$(findmnt -no SOURCE "$disk")
	[ -w "/sys/fs/ext4/${dev#/dev/}/trigger_fs_error" ] || skip "this kernel cannot be told to see an error"
	echo 1 >"/sys/fs/ext4/${dev#/dev/}/trigger_fs_error"
	refused "" small volume create more
	refused "Read-only file system" small import "$E2E/busybox.tar" more
	refused "" small run -d busybox true
	is "$(small inspect -f '{{.State.Running}}' old)" true
	small logs --tail 1 old | grep -q .
	grep -q 'Read-only file system' "$run/log/triton.log"
	kill -TERM $serve
	wait $serve || true
	serve=
	small_forget
}

# The power goes, and comes again: nothing runs, the run directory is empty, the boot id is not the one that was written down.
reboot() { # COMMAND...: what is done before it comes again
	kill -KILL $serve
	wait $serve 2>/dev/null || true
	small_forget
	"$@"
	grep -e "$disk" -e "$run" /proc/self/mountinfo | cut -d' ' -f5 | tac | xargs -r -n1 umount -l
	rm -rf "${run:?}"/*
	small_mount
	[ -s "$disk/data/state/db/ready" ]
	tr '0-9a-f' '1-9a-f0' <"$disk/data/state/db/ready" >"$TMP/ready" && cat "$TMP/ready" >"$disk/data/state/db/ready"
	small_serve
}

test_a_reboot_d06() {
	local state='{{.State.Running}} {{.State.ExitCode}}' before
	small_start
	small run -d --name always --restart always busybox sleep 1000 >/dev/null
	small run -d --name unless --restart unless-stopped -p 0:80 -v data:/data busybox sh -c 'echo boot >>/data/boots; exec sleep 1000' >/dev/null
	small run -d --name stopped --restart unless-stopped busybox sleep 1000 >/dev/null
	small stop -t 0 stopped >/dev/null
	small create --name never busybox sleep 1000 >/dev/null
	starts() { small inspect -f '{{.State.Status}} {{.State.StartedAt}}' always unless; }
	before=$(starts)
	reboot
	runs() { starts >"$TMP/starts" && [ "$(grep -c ^running "$TMP/starts")" = 2 ] && ! grep -qFx "$before" "$TMP/starts"; } # and not what was
	wait_for 15 runs
	is "$(small inspect -f "$state" old stopped never | xargs)" "false 255 false 137 false 0"
	is "$(small exec unless cat /data/boots | xargs)" "boot boot"      # once each
	is "$(small exec always echo yes)" yes
	has "$(small logs old)" 0
	small start old never >/dev/null
	old_runs
	small_works >/dev/null
}

# A process of this number, which somebody else had: in $decoy.
decoy() { # PID
	local i
	free() { [ ! -e "/proc/$1" ]; }
	wait_for 20 free "$1"                                              # who inherits it may be late to reap it
	for i in $(seq 200); do
		echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid
		sleep 1000 & decoy=$!
		[ "$decoy" != "$1" ] || return 0
		kill "$decoy"
	done
	fail "no process of number $1 can be made"
}

# What the state knows of a container that ran when the power went: its process's number, which is somebody else's now.
test_a_number_that_is_anothers_d06() {
	local init shim pid decoys=()
	small_start
	small run -d --name again --restart always busybox sleep 1000 >/dev/null
	init=$(small inspect -f '{{.State.Pid}}' old)
	shim=$(awk '/^PPid:/ { print $2 }' "/proc/$init/status")
	others() { for pid in $init $shim; do decoy "$pid"; decoys+=("$decoy"); done; }
	reboot others
	ended() { [ "$(small inspect -f '{{.State.Running}} {{.State.ExitCode}}' old)" = "false 255" ]; }
	wait_for 15 ended
	refused "is not running" small exec old true
	refused "is not running" small kill old
	small stop -t 0 old
	small cp old:/bin/busybox - >/dev/null
	small rm -f old >/dev/null
	for pid in "${decoys[@]}"; do kill -0 "$pid" || fail "a process that is not ours was ended"; kill "$pid"; done
	small rm -f again >/dev/null
}

# The same before the state has heard of the end.
test_a_joined_number_that_is_anothers_d06() {
	local init shim node started
	small_start
	small create --name guest --network container:old busybox sleep 1000 >/dev/null
	init=$(small inspect -f '{{.State.Pid}}' old)
	shim=$(awk '/^PPid:/ { print $2 }' "/proc/$init/status")
	node=$(small_role node)
	kill -STOP "$node"
	kill -KILL "$shim"
	kill -KILL "$init"
	wait_for 5 not_alive "$init"
	decoy "$init"
	small start guest >"$TMP/started" 2>&1 & started=$!
	sleep 1                                                            # the order lies in the node's socket
	kill -CONT "$node"
	! wait $started || fail "it joined process $init, which is $(tr '\0' ' ' <"/proc/$init/cmdline"): $(readlink "/proc/$init/ns/net") $(readlink "/proc/$(small inspect -f '{{.State.Pid}}' guest)/ns/net")"
	has "$(cat "$TMP/started")" "cannot join network of a non running container"
	kill "$decoy"
	small rm -f guest old >/dev/null
}

# The file system of the tests themselves is ext4 (54-quotas.sh).
# limit test_disk_quotas_on_xfs 60
test_disk_quotas_on_xfs() {
	local out
	fs=xfs mount_flags=prjquota
	small_start
	small run -d --name full --storage-opt size=20m busybox sleep 1000 >/dev/null
	out=$(small exec full dd if=/dev/zero of=/fill bs=1M count=40 2>&1) && fail "it had room for more than 20 MiB"
	case $out in *'No space left'* | *'uota exceeded'*) ;; *) fail "dd said: $out" ;; esac
	small exec old dd if=/dev/zero of=/fine bs=1M count=30 2>/dev/null
	small exec full rm /fill
	small exec full dd if=/dev/zero of=/fill bs=1M count=8 2>/dev/null
	small restart -t 0 full >/dev/null
	! small exec full dd if=/dev/zero of=/again bs=1M count=20 2>/dev/null || fail "the limit is gone after a restart"
	small run --rm --storage-opt size=10m -v data:/data busybox dd if=/dev/zero of=/data/fill bs=1M count=5 2>/dev/null
	! small run --rm --storage-opt size=10m -v data:/data busybox dd if=/dev/zero of=/data/more bs=1M count=20 2>/dev/null || fail "a volume is not held"
	small rm -f full >/dev/null
	old_runs
}
