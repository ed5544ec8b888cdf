# Networks over three nodes: rows N07 to N09 of the reliability plan, and IPv6.

test_one_network_over_all_nodes() {
	docker_at 1 network create n1 >/dev/null
	for i in 1 2 3; do docker_at $i run -d --name "n$i" --network n1 bb:1 sh -c 'dd if=/dev/urandom of=/tmp/big bs=1M count=2 2>/dev/null; httpd -f -p 80 -h /tmp' >/dev/null; done
	for i in 1 2 3; do
		until_ok 10 docker_at 1 exec n1 wget -q -O /dev/null "http://n$i/big" || fail "n1 gets nothing from n$i"
		until_ok 10 docker_at 2 exec n3 ping -c 1 -W 2 "n$i" || fail "n3 does not reach n$i"
	done
	is "$(docker_at 3 exec n1 wget -q -O - http://n2/big | md5sum)" "$(docker_at 1 exec n2 cat /tmp/big | md5sum)" "2 MB in full packets"
}

# The same subnet and, container by container, the same addresses; the second account has one more.
test_N07_two_accounts_with_one_subnet_do_not_meet() {
	accounts_begin
	for who in ann ben; do
		account $who
		as $who network create --subnet 10.98.0.0/24 same >/dev/null
		for k in 1 2 3; do as $who run -d --name "s$k" --network same bb:1 sh -c "echo $who >/tmp/x; exec httpd -f -p 80 -h /tmp" >/dev/null; done
	done
	as ben run -d --name s4 --network same bb:1 sh -c "echo ben >/tmp/x; exec httpd -f -p 80 -h /tmp" >/dev/null
	address() { as $1 inspect -f '{{.NetworkSettings.Networks.same.IPAddress}}' "$2"; }
	for k in 1 2 3; do is "$(address ann s$k)" "$(address ben s$k)"; done
	for who in ann ben; do
		for k in 1 2 3; do until_is 20 $who as $who exec s$((k % 3 + 1)) wget -q -O - "http://$(address $who s$k)/x"; done
	done
	only=$(address ben s4)
	until_is 20 ben as ben exec s1 wget -q -O - "http://$only/x"
	for k in 1 2 3; do
		! as ann exec s$k busybox timeout 2 wget -q -O - "http://$only/x" || fail "ann's s$k reaches a server of ben's"
		! as ann exec s$k ping -c 2 -W 1 "$only" || fail "ann's s$k reaches a container of ben's"
	done
	as ann rm -f s1 s2 s3 >/dev/null
	as ben rm -f s1 s2 s3 s4 >/dev/null
	for who in ann ben; do as $who network rm same net >/dev/null; done
}

on_node() { docker_at 1 run -d --name "$2" -e "constraint:node==n$1" "${@:3}" >/dev/null; } # NODE NAME ARGUMENT...
in_net() { nsenter --net="/proc/$(docker_at 1 inspect -f '{{.State.Pid}}' "$1")/ns/net" -- "${@:2}"; } # CONTAINER COMMAND...
of_net() { docker_at 1 inspect -f "{{with index .NetworkSettings.Networks \"$2\"}}{{.$3}}{{end}}" "$1"; } # CONTAINER NETWORK MEMBER
dropped() { # NODE CHAIN: packets for the overlay's port that its rules have dropped
	on "$1" nft list chain ip "triton-cl$$-$1" "$2" | sed -n 's/.*udp dport 4789.* counter packets \([0-9]*\) bytes.* drop$/\1/p'
}

# What is refused is whole: from a node's own address it arrives, before and after.
test_N08_forged_overlay_packets_are_dropped_and_counted() {
	docker_at 1 network create n8 >/dev/null
	on_node 1 friend --network n8 bb:1 sleep 1000
	on_node 2 victim --network n8 bb:1 sleep 1000
	on_node 3 mallory bb:1 sleep 1000
	vni=$("$TRITON" state dump N/ --json --run-dir "$RUN/1" | jq -r 'select(.value.Name == "n8") | .value.vni')
	in_net victim python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 9999))
print("ready", flush=True)
while True: print(s.recv(100).decode(), flush=True)' >"$C/victim" & listening=$!
	until_ok 10 grep -q ready "$C/victim"
	set -- "$vni" "$(of_net friend n8 MacAddress)" "$(of_net friend n8 IPAddress)" "$(of_net victim n8 MacAddress)" "$(of_net victim n8 IPAddress)"
	forge() { python3 "$ROOT/test/cluster/forged.py" "$@"; }
	until_ok 20 sh -c "nsenter --net=/run/netns/$NS-1 python3 '$ROOT/test/cluster/forged.py' 10.77.0.2 $* honest; sleep 0.1; grep -q honest '$C/victim'"

	place_create 4                                        # a machine outside
	before=$(dropped 2 input)
	on 4 python3 "$ROOT/test/cluster/forged.py" 10.77.0.2 "$@" outside
	until_is 10 $((before + 1)) dropped 2 input
	place_remove 4

	before=$(dropped 3 forward)                           # a container: to another node, to its own, in the name of a node
	in_net mallory python3 "$ROOT/test/cluster/forged.py" 10.77.0.2 "$@" other
	until_is 10 $((before + 1)) dropped 3 forward
	in_net mallory python3 "$ROOT/test/cluster/forged.py" 10.77.0.3 "$@" own
	in_net mallory python3 "$ROOT/test/cluster/forged.py" 10.77.0.2 "$@" named 10.77.0.1

	until_ok 20 sh -c "nsenter --net=/run/netns/$NS-1 python3 '$ROOT/test/cluster/forged.py' 10.77.0.2 $* again; sleep 0.1; grep -q again '$C/victim'"
	kill $listening
	is "$(sort -u "$C/victim" | tr '\n' ' ')" "again honest ready "
}

# Containers f<FROM> to f<TO>, through each node in turn, six at a time; who hears that it cannot be now tries again.
n9_create() {
	export -f n9_one
	seq "$1" "$2" | RUN=$RUN xargs -P 6 -I K bash -c 'n9_one K'
}
n9_one() {
	local said tries
	for tries in $(seq 50); do
		said=$(curl -s --max-time 60 -w ' %{http_code}' --unix-socket "$RUN/$(($1 % 3 + 1))/docker.sock" -X POST -H 'Content-Type: application/json' \
			-d '{"Image":"bb:1","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"n9"}}' "http://d/containers/create?name=f$1")
		case $said in *' 201') return ;; *' 409') [ $tries -gt 1 ] && return ;; esac
		[ $tries = 1 ] && echo "f$1: $said" >&2
		sleep 0.2
	done
	echo "f$1: $said"
}
n9_addresses() { "$TRITON" state dump "A/$n9" --json --run-dir "$RUN/$1" | jq -r '"\(.key) \(.value)"' | sort; } # NODE
test_N09_addresses_of_200_containers() {
	n9=$(docker_at 2 network create --subnet 10.97.0.0/23 n9)
	is "$(n9_create 1 200)" ""
	for i in 1 2 3; do until_is 20 200 sh -c "'$TRITON' state dump A/$n9 --json --run-dir '$RUN/$i' | wc -l"; done
	n9_addresses 1 >"$C/n9"
	is "$(cut -d' ' -f2 "$C/n9" | sort -u | wc -l)" 200 "holders"
	seq 5 5 100 | sed 's/^/f/' | xargs docker -H "unix://$RUN/1/docker.sock" start >/dev/null
	for k in 5 50 100; do is "$(docker_at 2 exec f$k hostname -i | tr -d ' ')" "$(of_net f$k n9 IPAddress)"; done

	begin=$(now_ms)                                       # what is free again is given to nobody for a minute
	seq 101 160 | sed 's/^/f/' | xargs docker -H "unix://$RUN/3/docker.sock" rm >/dev/null
	until_is 20 140 sh -c "'$TRITON' state dump A/$n9 --json --run-dir '$RUN/1' | wc -l"
	n9_addresses 1 >"$C/n9.left"
	is "$(n9_create 201 260)" ""
	until_is 20 200 sh -c "'$TRITON' state dump A/$n9 --json --run-dir '$RUN/1' | wc -l"
	n9_addresses 1 >"$C/n9.now"
	if [ $(($(now_ms) - begin)) -lt 60000 ]; then
		comm -23 <(cut -d' ' -f1 "$C/n9") <(cut -d' ' -f1 "$C/n9.left") >"$C/n9.freed"
		is "$(wc -l <"$C/n9.freed")" 60
		is "$(cut -d' ' -f1 "$C/n9.now" | comm -12 - "$C/n9.freed")" "" "given again"
	fi
	for i in 1 2 3; do kill -9 "$(serve_pid $i)"; done
	for i in 1 2 3; do serve_start $i & done
	wait
	for i in 1 2 3; do
		until_ok 20 write_at $i "after-$i"
		n9_addresses $i | cmp - "$C/n9.now" || fail "node $i has other addresses after a restart"
	done
	for k in 5 50 100; do until_is 20 "$(of_net f$k n9 IPAddress)" sh -c "DOCKER_HOST=unix://$RUN/2/docker.sock docker exec f$k hostname -i | tr -d ' '"; done
	for i in 1 2 3; do docker_at $i ps -aq | awk -v i=$i 'NR % 3 == i - 1' >"$C/n9.ids.$i"; done
	for i in 1 2 3; do xargs -a "$C/n9.ids.$i" docker -H "unix://$RUN/$i/docker.sock" rm -f >/dev/null & done
	wait
	until_is 20 0 sh -c "'$TRITON' state dump A/$n9 --json --run-dir '$RUN/1' | wc -l"
}

test_a_network_with_IPv6_over_all_nodes() {
	docker_at 2 network create --ipv6 --subnet 10.96.0.0/24 --subnet fd00:96::/64 six >/dev/null
	for i in 1 2 3; do
		on_node $i "six$i" --network six bb:1 sh -c 'dd if=/dev/urandom of=/tmp/big bs=1M count=2 2>/dev/null; httpd -f -p "[::]:80" -h /tmp'
	done
	six() { of_net "six$1" six GlobalIPv6Address; }
	is "$(for i in 1 2 3; do six $i; done | sort -u | grep -c '^fd00:96::')" 3
	for i in 1 2 3; do
		for k in 1 2 3; do
			is "$(docker_at $((k % 3 + 1)) inspect -f '{{.NetworkSettings.Networks.six.GlobalIPv6Address}}' "six$i")" "$(six $i)" "through another node"
			until_ok 10 sh -c "DOCKER_HOST=unix://$RUN/$i/docker.sock docker exec six$k nslookup -type=aaaa six$i | grep -q '$(six $i)'" || fail "six$k does not find six$i"
			until_ok 20 docker_at 1 exec "six$k" ping -6 -c 1 -W 2 "$(six $i)" || fail "six$k does not reach six$i"
		done
	done
	is "$(docker_at 3 exec six1 wget -q -O - "http://[$(six 2)]/big" | md5sum)" "$(docker_at 1 exec six2 cat /tmp/big | md5sum)" "2 MB in full packets"
	for i in 1 2 3; do                                    # one holder, whoever is asked
		has "$(docker_at $i run --rm --network six --ip6 "$(six 2)" bb:1 true 2>&1 || true)" "Address already in use"
	done
	l=$(leader)
	kill -9 "$(serve_pid "$l")"
	o=$((l % 3 + 1))
	until_ok 30 docker_at $o create --name six4 --network six bb:1 true
	docker_at $o run -d --name six5 -e "constraint:node==n$o" --network six --ip6 fd00:96::99 bb:1 sleep 1000
	serve_start "$l"
	until_ok 20 docker_at "$l" inspect six4
	is "$("$TRITON" state dump A/ --json --run-dir "$RUN/$l" | jq -r .key | grep -c '/fd00:96::')" 5
	has "$(docker_at "$l" create --network six --ip6 fd00:96::99 bb:1 true 2>&1 || true)" "Address already in use"
	until_ok 20 docker_at "$l" exec six1 ping -6 -c 1 -W 2 "$(six 3)"
}
