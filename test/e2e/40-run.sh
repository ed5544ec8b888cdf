# The container commands of the docker CLI: run, exec, attach, logs, cp and their exit codes.

test_run_passes_output_input_and_exit_code() {
	is "$(run echo hello)" hello
	is "$(echo typed | docker run --rm -i busybox cat)" typed
	exits 42 run sh -c 'exit 42'
	is "$(docker run --rm busybox sh -c 'echo out; echo err >&2' 2>/dev/null)" out
	is "$(docker run --rm busybox sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" err
}

test_exit_codes_125_126_127() {
	exits 125 docker run --rm --memory 1 busybox true
	exits 125 docker run --rm nosuchimage:x true
	exits 126 run /etc
	exits 127 run /nosuch
	has "$out" nosuch
	exits 137 docker run --rm --init busybox sh -c 'kill -9 $$'       # process 1 itself cannot be killed from inside
	exits 143 docker run --rm --init busybox sh -c 'kill -TERM $$; sleep 1'
	docker create --name bad busybox /nosuch >/dev/null
	refused nosuch docker start bad
	is "$(inspect bad '{{.State.Status}} {{.State.ExitCode}}')" "created 127"
	docker rm bad >/dev/null
}

test_a_megabyte_through_attach_arrives_whole() {
	head -c 3000000 /dev/urandom >"$TMP/in"
	docker run --rm -i busybox cat <"$TMP/in" >"$TMP/out"
	cmp "$TMP/in" "$TMP/out"
	is "$(docker run --rm busybox sh -c 'head -c 5000000 /dev/zero' | wc -c)" 5000000
}

test_create_start_wait_rm() {
	local id
	id=$(docker create --name steps busybox sh -c 'exit 5')
	is "$(inspect steps '{{.State.Status}}')" created
	is "$(docker start steps)" steps
	is "$(docker wait steps)" 5
	is "$(inspect steps '{{.State.Status}} {{.State.ExitCode}} {{.Id}}')" "exited 5 $id"
	refused "already in use" docker create --name steps busybox
	is "$(docker rm steps)" steps
	refused "No such container" docker start steps
}

test_stop_restart_kill_pause() {
	docker run -d --name st busybox sh -c 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done' >/dev/null
	ready st
	docker stop st >/dev/null
	is "$(inspect st '{{.State.ExitCode}}')" 9
	docker restart st >/dev/null
	is "$(inspect st '{{.State.Running}}')" true
	docker pause st >/dev/null
	is "$(inspect st '{{.State.Status}}')" paused
	docker unpause st >/dev/null
	docker kill -s KILL st >/dev/null
	docker wait st >/dev/null
	is "$(inspect st '{{.State.ExitCode}}')" 137
	refused "is not running" docker kill st
	docker rm st >/dev/null
}

test_stop_waits_and_then_kills() {
	docker run -d --name deaf busybox sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null
	ready deaf
	local from=$(date +%s%N)
	docker stop -t 1 deaf >/dev/null
	local ms=$((($(date +%s%N) - from) / 1000000))
	[ $ms -ge 900 ] && [ $ms -lt $((4000 * ${E2E_SLOW:-1})) ] || fail "it took $ms ms"
	is "$(inspect deaf '{{.State.ExitCode}}')" 137
	docker rm deaf >/dev/null
}

test_stop_signal_and_stop_timeout() {
	docker run -d --name sig --stop-signal USR1 --stop-timeout 20 busybox sh -c 'trap "exit 4" USR1; echo ready; while :; do sleep 0.05; done' >/dev/null
	ready sig
	docker stop sig >/dev/null
	is "$(inspect sig '{{.State.ExitCode}}')" 4
	docker rm sig >/dev/null
}

test_rename_and_names() {
	docker create --name one busybox >/dev/null
	docker rename one two
	is "$(inspect two '{{.Name}}')" /two
	refused "No such container" docker rename one three
	docker create --name three busybox >/dev/null
	refused "already in use" docker rename two three
	docker rm two three >/dev/null
	is "$(docker create busybox | wc -c)" 65
}

test_ps_and_its_filters() {
	docker run -d --name up1 --label color=red busybox sleep 100 >/dev/null
	docker run --name down1 --label color=blue busybox sh -c 'exit 3'  || true
	names() { docker ps -a --format '{{.Names}}' "$@" | sort | xargs; }
	is "$(docker ps --format '{{.Names}}' | xargs)" up1
	is "$(names)" "down1 up1"
	is "$(names --filter name=down)" down1
	is "$(names --filter label=color)" "down1 up1"
	is "$(names --filter label=color=red)" up1
	is "$(names --filter status=exited)" down1
	is "$(names --filter exited=3)" down1
	is "$(names --filter ancestor=busybox)" "down1 up1"
	is "$(names --filter since=up1)" down1
	is "$(names -n 1)" down1
	is "$(names --filter id="$(inspect up1 '{{.Id}}')")" up1
	has "$(docker ps -a --format '{{.Status}}' --filter name=down1)" "Exited (3)"
	docker run --name sized busybox sh -c 'head -c 12345 /dev/zero >/z; ln /z /z2'
	has "$(docker ps -as --filter name=sized)" "12.3kB (virtual"
	is "$(docker inspect --size -f '{{.SizeRw}}' sized)" 12345
	[ "$(docker inspect --size -f '{{.SizeRootFs}}' sized)" -gt 1000000 ] || fail "the image has no size"
	docker rm sized >/dev/null
	docker rm -f up1 down1 >/dev/null
}

test_prefixes_of_ids_work() {
	local id
	id=$(docker run -d busybox sleep 100)
	is "$(inspect "${id:0:12}" '{{.Id}}')" "$id"
	is "$(docker rm -f "${id:0:8}")" "${id:0:8}"
}

test_container_prune() {
	docker create --name p1 --label prune=yes busybox >/dev/null
	docker create --name p2 busybox >/dev/null
	has "$(docker container prune -f --filter label=prune=yes)" "Deleted Containers"
	is "$(docker ps -aq --filter name=p1)" ""
	docker rm p2 >/dev/null
}

test_logs() {
	docker run --name lg busybox sh -c 'echo one; echo two >&2; sleep 0.3; echo three' >/dev/null 2>&1
	is "$(docker logs lg 2>/dev/null | xargs)" "one three"
	is "$(docker logs lg 2>&1 >/dev/null)" two
	is "$(docker logs --tail 1 lg 2>/dev/null)" three
	is "$(docker logs --tail 0 lg 2>&1)" ""
	is "$(docker logs --since 1h lg 2>/dev/null | wc -l)" 2
	is "$(docker logs --until 2000-01-01T00:00:00Z lg 2>&1)" ""
	has "$(docker logs -t lg 2>/dev/null | head -1)" "Z one"
	docker rm lg >/dev/null
}

test_logs_follow_until_the_end() {
	docker run -d --name fl busybox sh -c 'for i in 1 2 3 4 5; do echo $i; sleep 0.1; done' >/dev/null
	is "$(timeout 10 docker logs -f fl | xargs)" "1 2 3 4 5"
	docker rm fl >/dev/null
}

test_logs_rotate_and_none() {
	docker run --name rot --log-opt max-size=10k --log-opt max-file=2 busybox sh -c 'for i in $(seq 2000); do echo line $i of many; done' >/dev/null
	[ "$(docker logs rot | wc -c)" -lt 40000 ]
	is "$(docker logs --tail 1 rot)" "line 2000 of many"
	docker run --name non --log-driver none busybox echo x >/dev/null
	refused "" docker logs non
	refused "log driver" docker run --rm --log-driver nosuch busybox true
	docker rm rot non >/dev/null
}

test_attach_stdin_and_half_close() {
	docker create -i --name at busybox sh -c 'read x; echo got $x; cat; echo end' >/dev/null
	is "$(printf 'a\nb\n' | docker start -ai at | xargs)" "got a b end"
	docker rm at >/dev/null
	docker run -d -i --name at busybox sh -c 'read x; echo got $x; read x; echo then $x' >/dev/null  # a client that goes leaves stdin open
	printf 'a\n' | timeout -s KILL 1 docker attach at >/dev/null || true
	is "$(inspect at '{{.State.Running}}')" true
	is "$(printf 'b\n' | docker attach at | tail -1)" "then b"
	docker rm -f at >/dev/null
}

tty() { # COMMAND...: in a terminal of 40 columns and 20 rows; what is in $keys is typed after $delay, or when $after was printed
	python3 - "$@" <<'END'
import os, pty, sys, time, threading, fcntl, termios, struct
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 40, 0, 0))
keys = os.environ.get("keys", "").encode().decode("unicode_escape").encode("latin-1")
out, after = b"", os.environ.get("after", "").encode()
def typing():
    for part in keys.split(b"|"):
        if after:
            while after not in out:
                time.sleep(0.02)
        else:
            time.sleep(float(os.environ.get("delay", "0.7")) * float(os.environ.get("E2E_SLOW") or 1))
        try:
            os.write(fd, part)
        except OSError:
            pass
threading.Thread(target=typing, daemon=True).start()
while True:
    try:
        piece = os.read(fd, 4096)
    except OSError:
        break
    if not piece:
        break
    out += piece
sys.stdout.buffer.write(out.replace(b"\r\n", b"\n"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
}

test_a_terminal_has_a_size_and_an_echo() {
	has "$(keys='stty size; exit 6\r' tty docker run --rm -it busybox sh || echo "status $?")" "20 40"
	has "$(keys='exit 6\r' tty docker run --rm -it busybox sh || echo "status $?")" "status 6"
	is "$(docker run --rm -t busybox sh -c 'test -t 0 && test -t 1 && tty' | tr -d '\r')" /dev/pts/0
}

test_detach_keys_leave_the_container_running() {
	keys='\x10\x11' after=ready tty docker run -it --name det busybox sh -c 'echo ready; exec sleep 100' >/dev/null || true
	is "$(inspect det '{{.State.Running}}')" true
	keys='\x01x' tty docker attach --detach-keys ctrl-a,x det >/dev/null || true
	is "$(inspect det '{{.State.Running}}')" true
	docker rm -f det >/dev/null
}

test_ctrl_c_reaches_the_container() {
	exits 0 env keys='\x03' python3 -c 'pass'
	has "$(keys='\x03' after=ready tty docker run --rm -it busybox sh -c 'trap "echo interrupted; exit 2" INT; echo ready; while :; do sleep 0.1; done' || true)" interrupted
}

test_exec_flags_and_exit_codes() {
	docker run -d --name ex -e A=1 busybox sleep 100 >/dev/null
	is "$(docker exec ex echo hi)" hi
	is "$(docker exec -e B=2 ex sh -c 'echo $A $B')" "1 2"
	is "$(docker exec -w /etc ex pwd)" /etc
	is "$(docker exec -u user ex id -u)" 1000
	is "$(docker exec -u 1000:10 ex id -g)" 10
	is "$(echo in | docker exec -i ex cat)" in
	has "$(docker exec -t ex tty)" /dev/pts
	exits 17 docker exec ex sh -c 'exit 17'
	exits 126 docker exec ex /etc
	exits 127 docker exec ex /nosuch
	docker exec -d ex sh -c 'echo later >/tmp/f'
	wait_for 20 docker exec ex test -e /tmp/f
	docker stop -t 0 ex >/dev/null
	refused "is not running" docker exec ex true
	docker rm ex >/dev/null
}

test_exec_sees_what_the_container_sees() {
	docker run -d --name ns -m 128m busybox sleep 100 >/dev/null
	is "$(docker exec ns sh -c 'readlink /proc/self/ns/pid')" "$(docker exec ns readlink /proc/1/ns/pid)"
	is "$(docker exec ns sh -c 'grep -c . /proc/1/cmdline')" "$(docker exec ns sh -c 'grep -c . /proc/1/cmdline')"
	is "$(docker exec ns grep CapEff /proc/self/status)" "$(docker exec ns grep CapEff /proc/1/status)"
	is "$(docker exec ns awk '/^Seccomp:/ {print $2}' /proc/self/status)" 2
	docker rm -f ns >/dev/null
}

test_top() {
	docker run -d --name tp busybox sh -c 'sleep 100 & sleep 200' >/dev/null
	has "$(docker top tp)" "sleep 200"
	has "$(docker top tp -o pid,args)" "sleep 100"
	docker rm -f tp >/dev/null
}

test_cp_both_ways() {
	mkdir -p "$TMP/tree/sub"
	echo file >"$TMP/tree/a"
	echo deep >"$TMP/tree/sub/b"
	ln -s a "$TMP/tree/link"
	chmod 4755 "$TMP/tree/a"
	docker run -d --name cp busybox sleep 100 >/dev/null
	docker cp -q "$TMP/tree" cp:/home/
	is "$(docker exec cp cat /home/tree/sub/b)" deep
	is "$(docker exec cp readlink /home/tree/link)" a
	is "$(docker exec cp stat -c %a /home/tree/a)" 4755
	docker cp -q cp:/home/tree "$TMP/back"
	diff -r "$TMP/tree" "$TMP/back"
	is "$(docker cp -q cp:/etc/passwd - | tar -xO passwd | head -1)" "root:x:0:0:root:/root:/bin/sh"
	tar -C "$TMP/tree" -c a | docker cp - cp:/tmp
	is "$(docker exec cp cat /tmp/a)" file
	refused "Could not find the file /nosuch in container" docker cp cp:/nosuch "$TMP/x"
	refused "" docker cp "$TMP/tree/a" cp:/nosuch/dir/
	docker stop -t 0 cp >/dev/null
	is "$(docker cp -q cp:/tmp/a - | tar -xO)" file              # stopped containers, too
	docker cp -q "$TMP/tree/a" cp:/tmp/b
	docker start cp >/dev/null
	is "$(docker exec cp cat /tmp/b)" file
	docker rm -f cp >/dev/null
}

# A01
test_a01_cp_stays_inside_the_container() {
	docker run -d --name evil busybox sleep 100 >/dev/null
	docker exec evil sh -c 'ln -s / /tmp/root; ln -s ../../../../../../../../ /tmp/up; ln -s /proc/1/root /tmp/proc1'
	echo marker >"$TMP/marker"
	for dir in root up proc1; do
		docker cp -q "$TMP/marker" "evil:/tmp/$dir/marker-$dir" 2>/dev/null || true
		[ ! -e "/marker-$dir" ] || fail "a file came out through $dir"
	done
	is "$(docker cp -q -L evil:/tmp/up/etc/passwd - | tar -xO | head -1)" "root:x:0:0:root:/root:/bin/sh"
	docker rm -f evil >/dev/null
}

test_diff_and_export() {
	docker run --name ch busybox sh -c 'echo x >/new; rm /etc/group; echo y >>/etc/passwd'
	is "$(docker diff ch | sort | xargs)" "$(printf 'A /new\nC /etc\nC /etc/passwd\nD /etc/group\n' | sort | xargs)"
	is "$(docker run --name unchanged busybox true; docker diff unchanged)" ""
	is "$(api GET /containers/unchanged/changes)" null
	docker rm unchanged >/dev/null
	docker export ch | tar -t >"$TMP/list"
	grep -q '^new$\|^\./new$' "$TMP/list"
	! grep -q 'etc/group' "$TMP/list" || fail "a deleted file is in the export"
	docker rm ch >/dev/null
}

test_port_and_stats() {
	docker run -d --name po -p 18080:80 busybox sleep 100 >/dev/null
	has "$(docker port po)" "80/tcp -> 0.0.0.0:18080"
	is "$(docker stats --no-stream --format '{{.Name}}' po)" po
	docker rm -f po >/dev/null
}

test_restart_policies() {
	docker run -d --name rs --restart on-failure:2 busybox sh -c 'exit 1' >/dev/null
	done_trying() { [ "$(inspect rs '{{.RestartCount}} {{.State.Status}}')" = "2 exited" ]; }
	wait_for 20 done_trying
	docker run -d --name al --restart always busybox sh -c 'sleep 0.1; exit 0' >/dev/null
	again() { [ "$(inspect al '{{.RestartCount}}')" -ge 2 ]; }
	wait_for 20 again
	docker stop -t 1 al >/dev/null
	sleep 1
	is "$(inspect al '{{.State.Running}}')" false
	docker rm -f rs al >/dev/null
}

test_update_changes_limits() {
	docker run -d --name upd -m 128m busybox sleep 100 >/dev/null
	docker update --restart no --cpus 0.5 upd >/dev/null
	is "$(inspect upd '{{.HostConfig.NanoCpus}}')" 500000000
	docker rm -f upd >/dev/null
}

test_auto_remove_takes_anonymous_volumes_along() {
	local before
	before=$(docker volume ls -q | wc -l)
	docker run --rm -v /data busybox sh -c 'echo x >/data/f'
	gone() { [ "$(docker volume ls -q | wc -l)" = "$before" ]; }
	wait_for 20 gone
}

test_twenty_at_once() {
	local i pids=
	for i in $(seq 20); do
		docker run --rm busybox sh -c "exit $i" &
		pids+=" $!"
	done
	i=0
	for p in $pids; do
		i=$((i + 1))
		wait "$p" && fail "container $i ended with 0" || is $? $i
	done
}

# A stop may wait for ever; what else is asked of the container goes on meanwhile, and somebody less patient wins.
test_a_patient_stop_holds_nothing_up() {
	local patient
	docker run -d --name lazy busybox sleep 1000 >/dev/null   # process 1 that ignores SIGTERM
	timeout 30 docker stop -t -1 lazy >/dev/null & patient=$!
	wait_for 20 eval "docker events --since 1m --until 0s --filter container=lazy --format '{{.Action}}' | grep -q kill"
	is "$(docker inspect -f '{{.State.Status}}' lazy)" running
	docker commit lazy lazy:now >/dev/null
	exits 0 timeout 10 docker kill lazy
	wait $patient
	is "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' lazy)" "exited 137"
	docker start lazy >/dev/null
	timeout 30 docker restart -t -1 lazy >/dev/null & patient=$!
	wait_for 20 eval "docker events --since 1m --until 0s --filter container=lazy --format '{{.Action}}' | grep -c kill | grep -q 3"
	docker pause lazy >/dev/null
	docker unpause lazy >/dev/null
	exits 0 timeout 10 docker stop -t 0 lazy
	wait $patient || true                             # it was overtaken
	docker rm -f lazy >/dev/null
	docker rmi lazy:now >/dev/null
}
