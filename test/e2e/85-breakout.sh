# Breaking out from inside (reliability.md 3.5, B01 to B32) and the known escapes of runc, crun, containerd and moby: each test
# plays the attack and sees it fail. What the shell cannot do, probe.c does; it is built here and lies in the image `probe`.

probe_image() { # [LOGIN...]
	local login
	for login in "${@:-me}"; do
		as $login docker image inspect probe >/dev/null 2>&1 && continue
		mkdir -p "$TMP/image/bin"
		cp "$ROOT/build/probe" "$TMP/image/bin/probe" 2>/dev/null ||     # an emulated machine has no compiler (test/vm/run)
			musl-gcc -static -O1 -idirafter "$ROOT/build/uapi" -o "$TMP/image/bin/probe" "$ROOT/test/e2e/probe.c"
		cp "$E2E/busybox.tar" "$TMP/probe.tar"
		tar -C "$TMP/image" --owner=0 --group=0 -rf "$TMP/probe.tar" bin/probe
		as $login docker import -c 'ENV PATH=/bin' "$TMP/probe.tar" probe >/dev/null
	done
}

# All attacks of these rows, with run and with exec, as root and as a user. The probe's status counts what was open.
attack() { # ROW|ATTACK...
	local user
	probe_image me
	docker run -d --name attacked probe sleep 100 >/dev/null
	for user in 0 1000; do
		exits 0 docker run --rm -u $user probe probe "$@"
		exits 0 docker exec -u $user attacked probe "$@"
	done
	docker rm -f attacked >/dev/null
	# Without the user namespace the filter and the capabilities must do alone.
	probe_image boss
	exits 0 as boss docker run --rm --userns host probe probe "$@"
}

status_line() { awk -v key="$1:" '$1 == key { print $2 }'; }         # KEY, of /proc/self/status on stdin

test_probe_finds_what_is_open() {
	probe_image
	"$TMP/image/bin/probe" unshare_uts io_uring_enter_ keyctl_ >"$TMP/out" 2>&1 && fail "nothing is open on the machine itself: $(cat "$TMP/out")"
	has "$(cat "$TMP/out")" "unshare_uts OPEN"
	exits 1 "$TMP/image/bin/probe" nosuch
	exits 1 "$TMP/image/bin/probe" read /etc/passwd
}

test_b01_capabilities() {
	local k
	docker run -d --name caps busybox sleep 100 >/dev/null
	for k in CapPrm CapEff CapBnd; do
		is "$(run cat /proc/self/status | status_line $k)" 00000000a80425fb "$k of run"
		is "$(docker exec caps cat /proc/self/status | status_line $k)" 00000000a80425fb "$k of exec"
	done
	for k in CapInh CapAmb; do                                       # CVE-2022-24769, 2022-29162: inheritable ones
		is "$(run cat /proc/self/status | status_line $k)" 0000000000000000 "$k of run"
		is "$(docker exec caps cat /proc/self/status | status_line $k)" 0000000000000000 "$k of exec"
	done
	docker rm -f caps >/dev/null
}

test_b02_no_capabilities_where_none_are_wanted() {
	local k
	for k in CapInh CapPrm CapEff CapBnd CapAmb; do
		is "$(docker run --rm --cap-drop ALL busybox cat /proc/self/status | status_line $k)" 0000000000000000 "$k of --cap-drop ALL"
	done
	docker run -d --name caps -u 1000 busybox sleep 100 >/dev/null
	for k in CapPrm CapEff CapAmb; do
		is "$(docker exec caps cat /proc/self/status | status_line $k)" 0000000000000000 "$k of user 1000"
	done
	docker rm -f caps >/dev/null
}

test_b03_and_b04_seccomp_and_no_new_privileges() {
	docker run -d --name nnp --security-opt no-new-privileges busybox sleep 100 >/dev/null
	is "$(docker exec nnp cat /proc/self/status | status_line Seccomp)" 2
	is "$(docker exec nnp cat /proc/self/status | status_line NoNewPrivs)" 1
	is "$(docker exec nnp cat /proc/1/status | status_line Seccomp)" 2
	is "$(docker exec nnp cat /proc/1/status | status_line NoNewPrivs)" 1
	# A program that is setuid root gains nothing.
	docker exec nnp sh -c 'cp /bin/busybox /tmp/id && chown 0:0 /tmp/id && chmod 4755 /tmp/id'
	is "$(docker exec -u 1000 nnp /tmp/id -u)" 1000
	docker rm -f nnp >/dev/null
}

test_b05_root_is_nobody_outside() {
	is "$(run awk '{ print $1, ($2 >= 65536), $3 }' /proc/self/uid_map)" "0 1 65536"
	is "$(run awk '{ print $1, ($2 >= 65536), $3 }' /proc/self/gid_map)" "0 1 65536"
	docker run -d --name mapped busybox sleep 100 >/dev/null
	exits 1 docker exec mapped sh -c 'echo "0 0 4294967295" >/proc/self/uid_map'
	docker rm -f mapped >/dev/null
}

test_b06_nothing_of_the_machine_is_seen() {
	local out
	docker run -d --name seen -e SEEN=1 busybox sleep 100 >/dev/null
	is "$(docker exec seen ps -o comm | tail -n +2 | sort | xargs)" "ps sleep"
	[ "$(docker exec seen hostname)" != "$(hostname)" ] || fail "the machine's host name"
	# Descriptors: 0 to 2 and the one that ls opens; also those of process 1, and none leads out.
	is "$(run sh -c 'ls /proc/self/fd' | xargs)" "0 1 2 3"
	is "$(docker exec seen ls /proc/self/fd | xargs)" "0 1 2 3"
	is "$(docker exec seen ls /proc/1/fd | xargs)" "0 1 2"
	is "$(docker exec seen tr '\0' '\n' </dev/null; docker exec seen sh -c 'tr "\0" "\n" </proc/1/environ' | cut -d= -f1 | sort | xargs)" "HOME HOSTNAME PATH SEEN"
	# CVE-2020-15257: abstract sockets of the machine; and sockets of the runtime.
	is "$(docker exec seen cat /proc/net/unix | tail -n +2 | wc -l)" 0
	is "$(docker exec seen find / -xdev -type s | wc -l)" 0
	# No name of a directory of the machine shows in the mounts but those of its file system's own options.
	out=$(docker exec seen cat /proc/self/mountinfo)
	has_not "$(echo "$out" | cut -d' ' -f5)" "$E2E"
	has_not "$(docker exec seen cat /proc/self/cgroup)" "$NAME"
	docker rm -f seen >/dev/null
}

test_b07_mounts_are_refused() { attack b07; }

test_b08_control_groups_cannot_be_changed() {
	attack b08
	# CVE-2022-0492, and what lies under /sys/fs/cgroup: nothing can be made or written.
	docker run -d --name groups busybox sleep 100 >/dev/null
	docker exec groups sh -c 'find /sys/fs/cgroup -type d | while read d; do mkdir "$d/probe" 2>/dev/null && echo "$d"; done; true' >"$TMP/made"
	is "$(cat "$TMP/made")" "" "groups made inside"
	docker exec groups sh -c 'find /sys/fs/cgroup -type f | while read f; do ( : >>"$f" ) 2>/dev/null && echo "$f"; done; true' >"$TMP/open"
	is "$(cat "$TMP/open")" "" "files open for writing"
	is "$(docker exec groups find /sys/fs/cgroup -name release_agent | wc -l)" 0
	docker rm -f groups >/dev/null
}

test_b09_knobs_of_the_machine_are_not_writable() {
	probe_image me boss
	set -- /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/kernel/hostname /proc/sys/kernel/panic \
		/proc/sys/kernel/sysrq /proc/sys/kernel/randomize_va_space /proc/sys/kernel/pid_max /proc/sys/kernel/kptr_restrict \
		/proc/sys/vm/drop_caches /proc/sys/vm/overcommit_memory /proc/sys/fs/file-max /proc/sys/fs/suid_dumpable /proc/irq/default_smp_affinity \
		/proc/bus /proc/mtrr /sys/kernel/uevent_helper /sys/power/state /sys/kernel/mm/ksm/run /sys/module/kernel/parameters/panic /proc/latency_stats
	exits 0 docker run --rm probe probe write "$@"
	exits 0 as boss docker run --rm --userns host probe probe write "$@"
}

test_b10_b11_what_proc_tells_is_masked() {
	probe_image me boss
	set -- /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/interrupts /proc/kmsg /proc/latency_stats /proc/timer_stats \
		/sys/kernel/debug/sched /sys/kernel/security/lsm
	exits 0 docker run --rm probe probe read "$@"
	exits 0 as boss docker run --rm --userns host probe probe read "$@"
	for dir in /proc/acpi /proc/asound /proc/scsi /sys/firmware /sys/devices/virtual/powercap /sys/kernel/debug /sys/kernel/tracing; do
		is "$(run sh -c "ls -A $dir 2>/dev/null | wc -l")" 0 "entries of $dir"
	done
}

test_b12_dev_has_the_usual_names() {
	is "$(run ls /dev | sort | xargs)" "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"
	is "$(run find /dev -type b | wc -l)" 0
}

test_b13_a_block_device_is_not_readable() {
	local dev nr
	truncate -s 1M "$TMP/disk"
	echo "marker of the machine" | dd of="$TMP/disk" conv=notrunc status=none
	dev=$(losetup -f --show "$TMP/disk") || skip "no loop devices"
	nr=$(( 0x$(stat -c %T "$dev") ))
	docker run --rm busybox sh -c "mknod /d b 7 $nr; cat /d" >"$TMP/out" 2>&1 || true
	as boss docker run --rm --userns host busybox sh -c "mknod /d b 7 $nr; cat /d" >>"$TMP/out" 2>&1 || true
	losetup -d "$dev"
	has_not "$(cat "$TMP/out")" marker
	has "$(cat "$TMP/out")" "not permitted"
}

test_b14_b15_device_nodes() {
	attack b14 b15
	# CVE-2025-52565: /dev/console of a terminal is a pseudo terminal, though the image has something else there.
	is "$(docker run --rm -t busybox sh -c 'stat -c %t /dev/console' | tr -d '\r')" 88
	mkdir -p "$TMP/console/dev"
	ln -s /proc/sysrq-trigger "$TMP/console/dev/console"
	ln -s /proc/sys/kernel/core_pattern "$TMP/console/dev/null"
	ln -s /proc/sys/kernel/hostname "$TMP/console/dev/pts"
	cp "$E2E/busybox.tar" "$TMP/console.tar"
	tar -C "$TMP/console" -rf "$TMP/console.tar" dev/console dev/null dev/pts
	docker import "$TMP/console.tar" console >/dev/null
	local before
	before=$(cat /proc/sys/kernel/core_pattern)
	docker run --rm -t console sh -c 'stat -c %t /dev/console; stat -c %F /dev/null' >"$TMP/out" 2>&1 || true
	has "$(cat "$TMP/out")" "character special file"
	is "$(cat /proc/sys/kernel/core_pattern)" "$before"
	docker rmi console >/dev/null
}

test_b16_limits_do_not_rise() { attack b16; }
test_b17_namespaces_are_refused() { attack b17; }
test_b18_the_mount_calls_are_refused() { attack b18; }
test_b19_keyrings_are_refused() { attack b19; }
test_b20_modules_and_tracing_are_refused() { attack b20; }
test_b21_calls_of_an_administrator_are_refused() { attack b21; }
test_b22_file_handles_are_refused() { attack b22; }
test_b23_other_processes_insides_are_refused() { attack b23; }
test_b24_the_same_through_int_0x80_and_x32() { [ "$(uname -m)" = x86_64 ] || skip "x86 only"; attack b24; }
test_b25_io_uring_and_odd_sockets() { attack b25; }

# limit test_b26_directories_by_descriptor 90
test_b26_directories_by_descriptor() {
	local n out
	docker run -d --name fds busybox sleep 100 >/dev/null
	for n in 3 4 5 6 7 8 9 10 11 12; do
		for path in /proc/self/fd/$n /proc/1/fd/$n /proc/thread-self/fd/$n/../../..; do
			out=$(docker run --rm -w $path busybox sh -c 'ls -d ../../../../../../../../etc; cat /proc/self/cwd/../../../../../../../etc/hostname' 2>&1) || true
			has_not "$out" "$(cat /etc/hostname)"
			out=$(docker exec -w $path fds sh -c 'cat ../../../../../../../../etc/hostname' 2>&1) || true
			has_not "$out" "$(cat /etc/hostname)"
			[ $n -le 4 ] || break
		done
	done
	# The link that the working directory was: CVE-2024-21626 by an image.
	docker exec fds ln -s /proc/self/fd/7 /cwd
	out=$(docker exec -w /cwd fds pwd 2>&1) && fail "a working directory beyond the container: $out"
	docker rm -f fds >/dev/null
}

# CVE-2019-5736: a program that is a script for /proc/self/exe, a library in its place, and somebody who waits to write to
# what runs in process 1 or in an exec.
test_b27_the_runtime_is_not_writable() {
	local before login flags
	before=$(sha256sum <"$TRITON")
	mkdir -p "$TMP/exe/bin"
	printf '#!/proc/self/exe\n' >"$TMP/exe/bin/again"
	cat >"$TMP/exe/bin/hunt" <<'END'
#!/bin/sh
# Opens every program that is seen for writing, and appends a byte where it is let.
while :; do
	for p in /proc/[0-9]*; do
		case $(readlink $p/exe) in /bin/busybox | "") continue ;; esac
		readlink $p/exe >>/tmp/foreign
		( printf x >>$p/exe ) 2>/dev/null && echo written >>/tmp/written
	done
done
END
	chmod 755 "$TMP/exe/bin/again" "$TMP/exe/bin/hunt"
	cp "$E2E/busybox.tar" "$TMP/exe.tar"
	tar -C "$TMP/exe" --owner=0 --group=0 -rf "$TMP/exe.tar" bin/again bin/hunt
	for login in me boss; do
		flags=$([ $login = boss ] && echo "--userns host" || true)
		as $login docker import -c 'ENV PATH=/bin' "$TMP/exe.tar" exe >/dev/null
		as $login docker run -d --name hunted $flags exe hunt >/dev/null
		for i in 1 2 3 4 5; do
			as $login docker exec hunted again >/dev/null 2>&1 || true
			as $login docker exec hunted /proc/self/exe help >/dev/null 2>&1 || true
		done
		as $login docker run --rm $flags exe again >/dev/null 2>&1 || true
		is "$(as $login docker exec hunted cat /tmp/written 2>/dev/null || true)" "" "programs written to as $login"
		as $login docker rm -f hunted >/dev/null
		as $login docker rmi exe >/dev/null
		is "$(sha256sum <"$TRITON")" "$before" "the program after $login"
	done
}

test_b28_a_memory_bomb_is_contained() {
	docker run --name bomb -m 32m --memory-swap 32m busybox sh -c 'x=$(head -c 200000000 /dev/zero | tr "\0" x); echo survived' >"$TMP/out" 2>&1 || true
	has_not "$(cat "$TMP/out")" survived
	is "$(inspect bomb '{{.State.OOMKilled}} {{.State.ExitCode}}')" "true 137"
	docker rm bomb >/dev/null
}

test_b29_a_fork_bomb_is_contained() {
	docker run -d --name bomb --pids-limit 20 busybox sh -c 'while :; do sleep 100 & done' >/dev/null
	wait_for 20 eval 'docker logs bomb 2>&1 | grep -q "fork"'          # it was refused one
	[ "$(docker top bomb | tail -n +2 | wc -l)" -le 20 ] || fail "$(docker top bomb | wc -l) processes"
	exits 0 run true
	docker rm -f bomb >/dev/null
}

test_b30_limits_hold() {
	local used
	used=$(docker run --rm --cpus 0.25 busybox sh -c 'timeout 2 sh -c "while :; do :; done"; cat /proc/self/stat' | tail -1 | awk '{print $16 + $17}')
	[ "$used" -le 90 ] || fail "used $used hundredths of a second in 2 s"
	is "$(docker run --rm --shm-size 8m busybox df -k /dev/shm | awk 'END {print $2}')" 8192
	is "$(docker run --rm --ulimit nofile=100:200 busybox sh -c 'ulimit -Sn; ulimit -Hn' | xargs)" "100 200"
	exits 1 docker run --rm --read-only busybox touch /x
	exits 1 docker run --rm --read-only busybox mount -o remount,rw /
}

test_b31_no_process_is_left() {
	docker run -d --name left busybox sh -c 'for i in 1 2 3; do (trap "" TERM HUP INT; setsid sleep 1000) & done; sleep 1000' >/dev/null
	wait_for 20 sh -c 'docker top left | grep -c "sleep 1000" | grep -qx 4'
	docker rm -f left >/dev/null
	wait_for 20 sh -c '! grep -q "^Name:.sleep$" $(grep -l '"$NAME"' /proc/[0-9]*/cgroup 2>/dev/null | sed s/cgroup/status/) /dev/null 2>/dev/null'
}

test_b32_flags_that_give_the_machine() {
	local flags
	for flags in --privileged "-v /:/host" "--mount type=bind,source=/,target=/h" "-v /etc:/h:ro" "--pid host" "--network host" "--ipc host" "--uts host" \
		"--userns host" "--cgroupns host" "--cap-add ALL" "--cap-add SYS_ADMIN" "--cap-add NET_ADMIN" "--security-opt seccomp=unconfined" "--security-opt systempaths=unconfined" \
		"--device /dev/null" "--device-cgroup-rule a" "--cgroup-parent /" "--oom-score-adj -1000" \
		"--mount type=volume,target=/h,volume-opt=type=none,volume-opt=device=/,volume-opt=o=bind"; do
		exits 125 docker run --rm $flags busybox true
	done
	refused "" docker volume create --driver local --opt type=none --opt device=/ --opt o=bind evil
	docker run -d --name plain busybox sleep 100 >/dev/null
	refused "" docker exec --privileged plain true
	api_refused 403 "" POST /containers/create -d '{"Image":"busybox","HostConfig":{"Privileged":true}}'
	docker rm -f plain >/dev/null
}

# --- races and links, as in the advisories -----------------------------------------------------------------

# CVE-2025-31133, 2025-52881, 2019-16884, 2019-19921, 2023-27561: an image, or a neighbour on a shared volume, puts links where the
# runtime masks, mounts or writes. Nothing may reach the machine, and process 1 must not see a /proc that is not one.
test_links_where_the_runtime_mounts() {
	local before hostname
	before=$(cat /proc/sys/kernel/core_pattern)
	hostname=$(hostname)
	mkdir -p "$TMP/links/dev" "$TMP/links/etc"
	ln -s /proc/sys/kernel/core_pattern "$TMP/links/dev/null"
	ln -s /proc/sysrq-trigger "$TMP/links/dev/mqueue"
	ln -s ../../../../../../../../proc/sys/kernel "$TMP/links/dev/shm"
	for f in hosts hostname resolv.conf; do ln -s /proc/sys/kernel/hostname "$TMP/links/etc/$f"; done
	ln -s /etc "$TMP/links/proc"
	ln -s /etc "$TMP/links/sys"
	tar -C "$E2E/busybox" --exclude ./dev --exclude ./proc --exclude ./sys --numeric-owner --owner=0 --group=0 -cf "$TMP/links.tar" .
	tar -C "$TMP/links" --owner=0 --group=0 -rf "$TMP/links.tar" dev etc proc sys
	docker import -c 'ENV PATH=/bin' "$TMP/links.tar" links >/dev/null
	docker run --rm links sh -c 'echo owned >/etc/hostname; stat -f -c %T /proc; head -c 1 /proc/keys | wc -c; readlink /proc/self >/dev/null && echo proc' >"$TMP/out" 2>&1 || true
	has_not "$(cat "$TMP/out")" owned
	is "$(cat /proc/sys/kernel/core_pattern)" "$before"
	is "$(hostname)" "$hostname"
	# If it came up at all, masks are masks.
	if grep -qx proc "$TMP/out"; then is "$(sed -n 2p "$TMP/out")" 0 "bytes of /proc/keys"; fi
	docker rmi links >/dev/null
}

# CVE-2021-30465: one container exchanges a directory of a shared volume for a link while another is started with a volume below.
# limit test_links_exchanged_while_mounting 60
test_links_exchanged_while_mounting() {
	local i
	docker run -d --name swap -v race:/v busybox sh -c 'mkdir -p /v/a; ln -s / /v/b; while :; do mv /v/a /v/c 2>/dev/null; mv /v/b /v/a; mv /v/a /v/b; mv /v/c /v/a 2>/dev/null; done' >/dev/null
	for i in 1 2 3 4 5 6 7 8; do
		docker run --rm -v race:/v -v deep$i:/v/a/x busybox sh -c 'ls /v/a/x; test ! -e /host-root' >"$TMP/out" 2>&1 || true
		docker run --rm -v race:/v --tmpfs /v/a busybox cat /v/a/etc/hostname >>"$TMP/out" 2>&1 || true
		has_not "$(cat "$TMP/out")" "$(cat /etc/hostname)"
	done
	docker rm -f swap >/dev/null
	docker volume ls -q | xargs -r docker volume rm >/dev/null
	[ ! -e /x ] || fail "a mount point was made in the machine's root"
}

# CVE-2016-9962: who is inside looks into what enters before it is the workload.
test_what_enters_cannot_be_looked_into() {
	docker run -d --name watch --cap-add SYS_PTRACE busybox true >/dev/null 2>&1 && fail "SYS_PTRACE for a tenant"
	docker run -d --name watch busybox sh -c 'while :; do
		for p in /proc/[0-9]*; do
			case $(cat $p/comm 2>/dev/null) in triton*) ;; *) continue ;; esac
			x=$(ls $p/fd/ 2>/dev/null; tr "\\0" " " <$p/environ 2>/dev/null; ls $p/root/ 2>/dev/null)
			case $(cat $p/comm 2>/dev/null) in triton*) [ -z "$x" ] || echo "$x" >>/tmp/seen ;; esac # else it was the program already
		done
	done >/dev/null' >/dev/null
	for i in 1 2 3 4 5 6 7 8; do docker exec watch true; done
	is "$(docker exec watch cat /tmp/seen 2>/dev/null || true)" "" "seen of an exec before it became the program"
	docker rm -f watch >/dev/null
}
