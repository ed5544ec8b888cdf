# What a container is: namespaces, rights, limits, files, networks.

test_namespaces_are_its_own() {
	local ns mine
	docker run -d --name nsx busybox sleep 100 >/dev/null
	for ns in mnt pid uts ipc net cgroup user; do
		mine=$(readlink /proc/self/ns/$ns)
		[ "$(docker exec nsx readlink /proc/self/ns/$ns)" != "$mine" ] || fail "$ns is the machine's"
	done
	is "$(docker exec nsx cat /proc/1/uid_map | awk '{print $1, ($2 >= 1000000), $3}')" "0 1 65536"
	is "$(awk '/^Uid:/ {print ($2 >= 1000000)}' "/proc/$(inspect nsx '{{.State.Pid}}')/status")" 1
	docker rm -f nsx >/dev/null
}

test_init_is_process_one_and_sees_only_its_own() {
	is "$(run sh -c 'echo $$')" 1
	is "$(run ps -o pid,comm | tail -n +2 | wc -l)" 1
	has "$(docker run --rm --init busybox ps -o pid,args)" "1 "
	exits 0 docker run --rm --init busybox sh -c '(sleep 0.1 &); sleep 0.4; ! ps -o stat | grep -q Z'
}

test_entrypoint_command_environment() {
	is "$(docker run --rm --entrypoint echo busybox a b)" "a b"
	is "$(docker run --rm -e X=1 -e Y busybox sh -c 'echo $X$Y')" 1
	is "$(Y=2 docker run --rm -e X=1 -e Y busybox sh -c 'echo $X$Y')" 12
	printf 'FROM_FILE=yes\n# no\n' >"$TMP/env"
	is "$(docker run --rm --env-file "$TMP/env" busybox sh -c 'echo $FROM_FILE')" yes
	has "$(run env)" "PATH=/bin:/usr/bin"
	has "$(run env)" "HOSTNAME="
	has "$(run env)" "HOME=/root"
	has "$(docker run --rm -t busybox env)" "TERM=xterm"
}

test_workdir_user_groups_hostname_labels() {
	is "$(docker run --rm -w /var/new busybox pwd)" /var/new
	is "$(docker run --rm -u user busybox id -un)" user
	is "$(docker run --rm -u 123:456 busybox sh -c 'id -u; id -g' | xargs)" "123 456"
	is "$(docker run --rm -u user busybox id -G | tr ' ' '\n' | sort -n | xargs)" "10 1000 2000"
	has "$(docker run --rm --group-add 77 busybox id -G)" 77
	refused "unable to find user nosuch" docker run --rm -u nosuch busybox true
	is "$(docker run --rm -h box --domainname example.org busybox hostname)" box
	has "$(docker run --rm -h box busybox cat /etc/hosts)" box
	docker create --name lab --label a=b --label c busybox >/dev/null
	is "$(inspect lab '{{.Config.Labels.a}}')" b
	docker rm lab >/dev/null
}

test_memory_limit_is_seen_and_holds() {
	is "$(docker run --rm -m 128m busybox free -k | awk '/^Mem:/ {print $2}')" 131072
	is "$(docker run --rm -m 128m busybox awk '/^MemTotal/ {print $2}' /proc/meminfo)" 131072
	docker run --name oom -m 32m --memory-swap 32m busybox sh -c 'x=$(head -c 200000000 /dev/zero | tr "\0" x); echo survived' >"$TMP/out" 2>&1 || true
	has_not "$(cat "$TMP/out")" survived
	is "$(inspect oom '{{.State.OOMKilled}} {{.State.ExitCode}}')" "true 137"
	docker events --since 10m --filter container=oom --format '{{.Action}}' >"$TMP/events" &
	wait_for 20 grep -q die "$TMP/events"
	kill $!
	has "$(xargs <"$TMP/events")" "start oom die"
	docker rm oom >/dev/null
}

test_a_container_sees_its_share_of_the_machine() {
	docker run -d --name share -m 128m --cpus 1 busybox sleep 100 >/dev/null
	is "$(docker exec share free -k | awk 'NR > 1 {print $2}' | xargs)" "131072 524288" "memory and swap of an exec"
	is "$(docker exec share sh -c 'nproc; cat /sys/devices/system/cpu/online; grep -c ^processor /proc/cpuinfo' | xargs)" "1 0 1"
	has "$(docker exec share uptime)" "up 0 min"
	is "$(docker exec share sh -c 'cut -d. -f1 /proc/uptime' | awk '{print ($1 < 30)}')" 1 "seconds up"
	is "$(docker exec share top -bn1 | awk '/^Mem:/ {print $2 + $4}')" 131072 "memory in top"
	docker update -m 256m --memory-swap 1g share >/dev/null
	wait_for 20 sh -c 'docker exec share free -k | grep -q "^Mem: *262144 "'
	refused "Could not find the file /proc/meminfo" docker cp share:/proc/meminfo "$TMP/meminfo"
	# The files of the image may be links to what the shim itself serves.
	docker exec share ln -sf /proc/meminfo /etc/passwd
	exits 0 timeout 5 docker exec share true
	exits 0 docker restart -t 0 share
	docker rm -f share >/dev/null
	# Who administers the machine sees the machine.
	is "$(as boss docker run --rm --privileged busybox awk '/^MemTotal/ {print $2}' /proc/meminfo)" "$(awk '/^MemTotal/ {print $2}' /proc/meminfo)"
}

# sendfile(2) into a pipe holds the pipe while it waits for what it reads: the shim has to answer it without that pipe.
test_what_is_seen_of_the_machine_can_be_sent_into_a_pipe() {
	local init shim
	docker run -d --name piped busybox sh -c 'trap go=1 USR1; cat /proc/uptime >/dev/null; exec 3</proc/meminfo; echo ready; until [ "$go" ]; do sleep 0.1; done
		echo one; cat <&3; echo two; exec sleep 100' >/dev/null
	init=$(inspect piped '{{.State.Pid}}')
	shim=$(awk '/^PPid:/ { print $2 }' "/proc/$init/status")
	ready() { docker logs piped | grep -qx ready; }
	wait_for 10 ready
	kill -STOP "$shim"
	kill -USR1 "$init"
	waits() { grep -q '^Name:.cat$' /proc/$(cat "/proc/$init/task/$init/children" | tr -d ' ')/status && sleep 0.2; }
	wait_for 10 waits                                                  # "one" is in the pipe, and cat asks
	kill -CONT "$shim"
	told() { docker logs piped | grep -qx two; }
	wait_for 10 told
	has "$(docker logs piped)" MemTotal
	is "$(docker exec piped sh -c 'echo one; cat /proc/cpuinfo /proc/meminfo >/dev/null; cat /proc/uptime | wc -l')" $'one\n1'
	docker rm -f piped >/dev/null
}

test_packages() {
	[ "$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)" -gt 5000000 ] || skip "this machine has no room for a container of 4 GiB"
	label() { inspect pk '{{index .Config.Labels "com.joyent.package"}}'; }
	docker create --name pk -m 3g busybox >/dev/null
	is "$(label)" t4-standard-4G
	docker rm pk >/dev/null
	docker create --name pk --label com.joyent.package=t4-standard-256M busybox >/dev/null
	is "$(inspect pk '{{.HostConfig.Memory}}')" 268435456
	docker rm pk >/dev/null
	refused "no package supports the given constraints: memory=65g" docker create -m 65g busybox
	refused "package" docker create --label com.joyent.package=nosuch busybox
}

test_cpu_limits() {
	exits 125 docker run --rm --cpus 1000 busybox true
	local busy
	busy=$(docker run --rm --cpus 0.2 busybox sh -c 'timeout 1 sh -c "while :; do :; done"; cat /proc/self/stat >/dev/null; times | tail -1' || true)
	local user=$(echo "$busy" | awk '{ split($1, t, /[ms]/); print (t[1] * 60 + t[2] < 0.6) }')
	is "$user" 1 "CPU seconds of a second at 0.2 ($busy)"
	exits 0 docker run --rm --cpu-shares 512 busybox true
	is "$(docker run --rm --cpus 1 busybox nproc)" 1
}

test_pids_limit() {
	local n
	n=$(docker run --rm --pids-limit 20 busybox sh -c 'i=0; while [ $i -lt 60 ]; do sleep 2 & i=$((i+1)); done; ps | wc -l' 2>/dev/null || true)
	[ "${n:-0}" -le 22 ] || fail "$n processes"
}

test_read_only_tmpfs_shm() {
	exits 1 docker run --rm --read-only busybox sh -c 'echo x >/x'
	exits 0 docker run --rm --read-only --tmpfs /run:size=1m busybox sh -c 'echo x >/run/x && mount | grep -q "/run type tmpfs.*size=1024k"'
	is "$(docker run --rm --shm-size 1m busybox df -k /dev/shm | awk 'END {print $2}')" 1024
	is "$(run df -k /dev/shm | awk 'END {print $2}')" 65536
}

test_ulimits_and_sysctls() {
	is "$(run sh -c 'ulimit -Sn; ulimit -Hn' | xargs)" "1024 $(ulimit -Hn)" "files of a container, as serve was started"
	[ "$(awk '/^Max open files/ { print $4 }' "/proc/$(role_pid node)/limits")" -gt 1024 ] || fail "the node keeps to 1,024 files"
	is "$(docker run --rm --ulimit nofile=100:200 busybox sh -c 'ulimit -Sn; ulimit -Hn' | xargs)" "100 200"
	is "$(docker run --rm --sysctl net.ipv4.ip_local_port_range='2000 3000' busybox cat /proc/sys/net/ipv4/ip_local_port_range | xargs)" "2000 3000"
	refused "sysctl" docker run --rm --sysctl vm.swappiness=1 busybox true
	refused "sysctl" docker run --rm --sysctl kernel.hostname=x busybox true
}

test_an_exec_has_the_ulimits_of_its_container() {
	local show='ulimit -Sn; ulimit -Hn; ulimit -Su; ulimit -c; cat /proc/self/oom_score_adj' most
	docker run -d --name limited --ulimit nofile=100:200 --ulimit nproc=300 --ulimit core=0 --oom-score-adj 77 \
		--health-cmd 'ulimit -Sn' --health-interval 0.2s busybox sh -c "($show) >/of-init; exec sleep 100" >/dev/null
	written() { [ "$(docker exec limited sh -c 'cat /of-init | wc -l')" = 5 ]; }
	wait_for 10 written
	is "$(docker exec limited cat /of-init | xargs)" "100 200 300 0 77" "limits of the first process"
	is "$(docker exec limited sh -c "$show" | xargs)" "100 200 300 0 77" "limits of an exec"
	is "$(docker exec -u 1000 limited sh -c "$show" | xargs)" "100 200 300 0 77" "limits of an exec of a user"
	exits 1 docker exec limited sh -c 'ulimit -Hn 201'
	probed() { [ "$(docker inspect -f '{{range .State.Health.Log}}{{.Output}}{{end}}' limited | head -1)" = 100 ]; }
	wait_for 10 probed
	# Few are enough for us to start it and to enter it.
	docker run -d --name few --ulimit nofile=4 busybox sleep 100 >/dev/null
	is "$(docker exec few sh -c 'ulimit -n')" 4
	docker rm -f limited few >/dev/null
	# More than we have ourselves needs a right that not every machine gives.
	most=$(cat /proc/sys/fs/nr_open)
	if docker run -d --name many --ulimit "nofile=$most" busybox sleep 100 >"$TMP/many" 2>&1; then
		is "$(docker exec many sh -c 'ulimit -Hn')" "$most"
		docker rm -f many >/dev/null
	else
		has "$(cat "$TMP/many")" "set ulimit nofile"
		docker rm many >/dev/null
	fi
}

test_capabilities() {
	is "$(run awk '/^CapEff/ {print $2}' /proc/self/status)" 00000000a80425fb
	is "$(docker run --rm --cap-drop ALL busybox awk '/^CapEff/ {print $2}' /proc/self/status)" 0000000000000000
	exits 1 docker run --rm --cap-drop CHOWN busybox chown 1 /etc/passwd
	exits 0 run chown 1 /etc/passwd
	exits 1 run mount -t tmpfs x /mnt
	is "$(docker run --rm --security-opt no-new-privileges busybox awk '/^NoNewPrivs/ {print $2}' /proc/self/status)" 1
}

test_masked_and_read_only_paths() {
	is "$(run sh -c 'cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c')" 0
	exits 1 run sh -c 'echo 1 >/proc/sys/kernel/core_pattern'
	exits 1 run sh -c 'echo b >/proc/sysrq-trigger'
	exits 1 run sh -c 'echo x >/sys/kernel/uevent_helper'
	is "$(run sh -c 'ls /proc/scsi /proc/acpi /sys/firmware 2>/dev/null | grep -v : | wc -w')" 0
}

test_devices_are_the_usual_ones() {
	is "$(run ls /dev | sort | xargs)" "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"
	exits 1 run mknod /tmp/sda b 8 0
	exits 0 run sh -c 'echo x >/dev/null; head -c 8 /dev/urandom | wc -c | grep -q 8'
}

test_seccomp_refuses_what_docker_refuses() {
	exits 1 run unshare -U true
	exits 1 run sh -c 'mount -o bind /etc /tmp'
	exits 1 run reboot -f
	is "$(run awk '/^Seccomp:/ {print $2}' /proc/self/status)" 2
}

test_volumes_and_volumes_from() {
	docker run --name vf -v /data -v namedv:/named busybox sh -c 'echo a >/data/a; echo b >/named/b'
	is "$(docker run --rm --volumes-from vf busybox cat /data/a /named/b | xargs)" "a b"
	exits 1 docker run --rm --volumes-from vf:ro busybox touch /data/x
	is "$(inspect vf '{{range .Mounts}}{{.Type}} {{end}}')" "volume volume "
	refused "operator" docker run --rm -v /etc:/e busybox true
	docker rm -v vf >/dev/null
	has "$(docker volume ls -q)" namedv                          # named ones stay
	docker volume rm namedv >/dev/null
}

test_volumes_start_with_what_the_image_has_there() {
	is "$(docker run --rm -v filled:/etc busybox sh -c 'ls /etc' | xargs)" "group hostname hosts passwd resolv.conf"
	is "$(docker run --rm -v filled:/x busybox cat /x/passwd | head -1)" "root:x:0:0:root:/root:/bin/sh"
	docker volume rm filled >/dev/null
}

# --- networks ------------------------------------------------------------------------------------------

test_every_container_has_an_address_and_reaches_others() {
	docker run -d --name web busybox sh -c 'mkdir /www; echo served >/www/index.html; httpd -f -h /www' >/dev/null
	local ip
	ip=$(inspect web '{{.NetworkSettings.IPAddress}}')
	is "$(run timeout 10 wget -qO- "http://$ip/")" served
	has "$(docker exec web ip addr show eth0)" "$ip/"
	has "$(inspect web '{{.NetworkSettings.MacAddress}}')" :
	docker rm -f web >/dev/null
}

test_names_are_resolved() {
	docker run -d --name named-web busybox sh -c 'mkdir /www; echo by name >/www/index.html; httpd -f -h /www' >/dev/null
	is "$(run timeout 10 wget -qO- http://named-web/)" "by name"
	exits 1 run nslookup nosuch-name-here.invalid
	docker rm -f named-web >/dev/null
}

test_traffic_to_the_outside_is_translated() {
	is "$(run timeout 10 wget -qO- http://192.0.2.2/)" "hello from outside"
}

test_published_ports_answer_inside_and_outside() {
	docker run -d --name pub -p 18081:80 busybox sh -c 'mkdir /www; echo published >/www/index.html; httpd -f -h /www' >/dev/null
	is "$(nsenter --net="/run/netns/$OUT" curl -s -m 5 http://192.0.2.1:18081/)" published
	is "$(curl -s -m 5 http://192.0.2.1:18081/)" published
	is "$(curl -s -m 5 http://127.0.0.1:18081/)" published
	refused "port is already allocated" timeout 10 docker run --rm --name second -p 18081:80 busybox true
	is "$(docker ps -aq --filter name=second)" ""
	docker rm -f pub >/dev/null
	exits 7 curl -s -m 5 http://192.0.2.1:18081/
}

test_what_can_never_start_goes_with_rm() {
	docker network create gone >/dev/null
	docker create --rm --name third --network gone busybox true >/dev/null
	docker network rm gone >/dev/null
	refused "not found" docker start third
	refused "No such" docker inspect third
}

test_a_range_of_ports_gives_the_first_that_is_free() {
	local i
	for i in 1 2; do docker run -d --name "range$i" -p 18090-18091:80 busybox sleep 100 >/dev/null; done
	is "$(docker port range1 80/tcp | head -1) $(docker port range2 80/tcp | head -1)" "0.0.0.0:18090 0.0.0.0:18091"
	refused "port is already allocated" docker run --rm -p 18090-18091:80 busybox true
	docker rm -f range1 >/dev/null
	docker run --rm -p 18090-18091:80 busybox true
	docker rm -f range2 >/dev/null
	docker run -d --name range3 -p 18090-18091:80-81 busybox sleep 100 >/dev/null
	has "$(docker port range3)" "81/tcp -> 0.0.0.0:18091"
	docker rm -f range3 >/dev/null
	refused "invalid" docker run --rm -p 18091-18090:80 busybox true
}

test_publish_all_takes_a_free_port() {
	docker run -d --name all -P --expose 80 busybox sh -c 'mkdir /www; echo any >/www/index.html; httpd -f -h /www' >/dev/null
	local port
	port=$(docker port all 80/tcp | head -1 | sed 's/.*://')
	[ "$port" -ge 1024 ] || fail "port $port"
	is "$(curl -s -m 5 "http://192.0.2.1:$port/")" any
	docker rm -f all >/dev/null
}

test_published_udp() {
	need_debian
	docker run -d --name udp -p 18082:53/udp debian perl -MIO::Socket::INET -e \
		'$s = IO::Socket::INET->new(Proto => "udp", LocalPort => 53); $s->recv($x, 100) && $s->send("got $x") while 1' >/dev/null
	ask() {
		nsenter --net="/run/netns/$OUT" python3 - <<-END
			import socket
			s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
			s.settimeout(1)
			s.sendto(b"datagram", ("192.0.2.1", 18082))
			print(s.recv(100).decode())
		END
	}
	wait_for 10 ask
	is "$(ask)" "got datagram"
	docker rm -f udp >/dev/null
}

test_what_is_not_published_is_closed_to_the_outside() {
	docker run -d --name closed busybox sh -c 'mkdir /www; httpd -f -h /www' >/dev/null
	local ip status=0
	ip=$(inspect closed '{{.NetworkSettings.IPAddress}}')
	nsenter --net="/run/netns/$OUT" ip route add "$ip/32" via 192.0.2.1
	nsenter --net="/run/netns/$OUT" curl -s -m 2 "http://$ip/" >/dev/null || status=$?
	nsenter --net="/run/netns/$OUT" ip route del "$ip/32"
	[ $status != 0 ] || fail "the outside reached $ip"
	docker rm -f closed >/dev/null
}

test_accounts_do_not_reach_each_other() {
	as other docker run -d --name theirs busybox sh -c 'mkdir /www; echo secret >/www/index.html; httpd -f -h /www' >/dev/null
	local ip
	ip=$(as other docker inspect -f '{{.NetworkSettings.IPAddress}}' theirs)
	has_not "$(run timeout 2 wget -qO- "http://$ip/" 2>&1 || true)" secret
	exits 1 run wget -qO- http://theirs/
	as other docker rm -f theirs >/dev/null
}

test_network_none_host_and_container() {
	is "$(docker run --rm --network none busybox ip -o link | wc -l)" 1
	docker run -d --name first busybox sleep 100 >/dev/null
	is "$(docker run --rm --network container:first busybox hostname -i)" "$(docker exec first hostname -i)"
	is "$(docker run --rm --network container:first busybox sh -c 'hostname; cat /etc/hosts /etc/resolv.conf')" \
		"$(docker exec first sh -c 'hostname; cat /etc/hosts /etc/resolv.conf')"
	refused "conflicting options" docker run --rm --network container:first --hostname x busybox true
	docker rm -f first >/dev/null
	refused "operator" docker run --rm --network host busybox true
	refused "network" docker run --rm --network nosuch busybox true
}

test_hosts_and_resolv_conf() {
	has "$(docker run --rm --add-host db:10.1.2.3 busybox cat /etc/hosts)" "10.1.2.3"
	has "$(run cat /etc/hosts)" "127.0.0.1"
	has "$(docker run --rm --dns 9.9.9.9 busybox cat /etc/resolv.conf)" "nameserver 9.9.9.9"
	has "$(docker run --rm --dns-search example.org busybox cat /etc/resolv.conf)" "example.org"
	has "$(docker run --rm --dns-option ndots:3 busybox cat /etc/resolv.conf)" "ndots:3"
	has "$(run cat /etc/resolv.conf)" nameserver
	is "$(docker run --rm --network none busybox cat /etc/resolv.conf)" "$(cat /etc/resolv.conf)"
	refused "invalid --dns-option" docker run --rm --dns-option "$(printf 'ndots:1\nnameserver 6.6.6.6')" busybox true
	is "$(run cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range | xargs)" "0 0 65535"
}

test_addresses_are_unique() {
	local i
	for i in 1 2 3 4 5 6; do docker run -d --name "u$i" busybox sleep 100 >/dev/null; done
	is "$(for i in 1 2 3 4 5 6; do inspect "u$i" '{{.NetworkSettings.IPAddress}}'; done | sort | uniq -d)" ""
	docker rm -f u1 u2 u3 u4 u5 u6 >/dev/null
}

# B31
test_b31_no_process_outlives_rm() {
	docker run -d --name forks busybox sh -c 'for i in 1 2 3 4 5; do (trap "" TERM HUP; sleep 1000) & done; echo ready; sleep 1000' >/dev/null
	ready forks
	docker rm -f forks >/dev/null
	wait_for 20 eval '[ -z "$(namespace_processes)" ]'
}

test_a_forced_removal_does_not_wait_for_a_patient_stop() {
	docker run -d --name deaf busybox sh -c 'trap "echo ready" TERM; echo up; while :; do sleep 0.1; done' >/dev/null
	wait_for 20 eval 'docker logs deaf | grep -q up'
	docker stop -t 100 deaf >/dev/null 2>&1 &
	ready deaf                                        # the stop has begun
	timeout 10 docker rm -f deaf >/dev/null || fail "rm -f waits for the stop"
	wait $! || true
}
