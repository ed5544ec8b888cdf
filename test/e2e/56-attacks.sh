# reliability.md 3.6: what a container with Docker's default rights (NET_RAW among them) can do to its neighbours: nothing.
# `mallory` attacks, `victim` and `friend` are honest, all on one network; test/e2e/frames.c makes the frames.

frames_need() { # makes the three of them, with frames inside
	if ! cp build/frames "$TMP/frames" 2>/dev/null; then      # an emulated machine has no compiler (test/vm/run)
		command -v musl-gcc >/dev/null || skip "there is no musl-gcc (packaging/deps build installs it)"
		musl-gcc -static -O1 -idirafter build/uapi -o "$TMP/frames" test/e2e/frames.c
	fi
	docker network create --subnet 10.66.0.0/24 arena >/dev/null
	for name in mallory victim friend; do
		docker run -d --name $name --network arena busybox sleep 1000 >/dev/null
		docker cp -q "$TMP/frames" $name:/frames
	done
}

of() { inspect "$1" '{{.NetworkSettings.Networks.arena.MacAddress}} {{.NetworkSettings.Networks.arena.IPAddress}}'; }
addr() { inspect "$1" '{{.NetworkSettings.Networks.arena.IPAddress}}'; }
mac() { inspect "$1" '{{.NetworkSettings.Networks.arena.MacAddress}}'; }

sends() { # WHO KIND NEIGHBOUR VICTIM
	is "$(docker exec "$1" /frames send "$2" $(of "$1") $(of "$3") $(of "$4"))" sent
}

watches() { # WHO [udp PORT]: in the background, into $TMP/WHO
	docker exec "$1" /frames "${@:2}" >"$TMP/$1" 2>&1 &
	wait_for 10 grep -q ready "$TMP/$1"
}

saw() { # WHO: how many frames of the attack, once END has come
	wait_for 10 grep -qx '[0-9]*' "$TMP/$1"
	tail -n 1 "$TMP/$1"
}

# First the same with an honest frame: a watcher that sees nothing would prove nothing.
watcher_works() { # FROM TO
	watches "$2" watch
	sends "$1" honest friend "$2"
	sends "$1" end friend "$2"
	is "$(saw "$2")" 1 "an honest frame from $1 to $2"
}

test_n01_arp_replies_with_a_neighbours_address() {
	frames_need
	docker exec victim ping -c 1 -W 2 "$(addr friend)" >/dev/null
	has "$(docker exec victim cat /proc/net/arp | grep "^$(addr friend) ")" "$(mac friend)"
	watcher_works mallory victim
	watches victim watch
	sends mallory arp friend victim
	sends mallory end friend victim
	is "$(saw victim)" 0
	has "$(docker exec victim cat /proc/net/arp | grep "^$(addr friend) ")" "$(mac friend)"
}

test_n02_packets_with_a_neighbours_source_address() {
	frames_need
	watcher_works mallory victim
	watches victim watch
	sends mallory source friend victim
	sends mallory end friend victim
	is "$(saw victim)" 0
}

test_n03_stealing_a_neighbours_mac_in_the_bridge() {
	frames_need
	watches mallory watch
	watches friend watch
	for _ in 1 2 3 4 5; do
		sends mallory mac friend victim
		sends victim honest victim friend
	done
	sends victim end victim friend
	sends victim end victim mallory
	is "$(saw friend)" 5 "what was for friend"
	is "$(saw mallory)" 0 "captured"
}

test_n04_promiscuous_sniffing() {
	frames_need
	watches mallory watch
	watches friend watch
	sends victim honest victim friend
	sends friend honest friend victim
	sends victim end victim friend
	sends victim end victim mallory
	is "$(saw friend)" 1 "what was for friend"
	is "$(saw mallory)" 0
}

test_n05_dhcp_ra_stp_vlan_lldp_and_overlapping_fragments() {
	frames_need
	watcher_works mallory victim
	watches victim watch
	sends mallory control friend victim
	sends mallory end friend victim
	is "$(saw victim)" 0
	watches victim udp 9999
	sends mallory honest friend victim
	sends mallory fragments friend victim
	sends mallory end friend victim
	wait_for 10 grep -q END "$TMP/victim"
	is "$(tr '\n' ' ' <"$TMP/victim")" "ready TRITON-ATTACK TRITON-END "
}

test_n06_the_nodes_own_services() {
	docker run -d --name probe busybox sleep 1000 >/dev/null
	local gw port address
	gw=$(inspect probe '{{.NetworkSettings.Networks.bridge.Gateway}}')
	is "$(docker exec probe sh -c 'nc -w 2 192.0.2.2 80 </dev/null && echo open')" open "a service outside"
	for address in 192.0.2.1 "$gw" 127.0.0.1; do
		for port in 22 2375 2376 2377 4789 7946 8443 23760 28443; do
			docker exec probe sh -c "nc -w 1 $address $port </dev/null" 2>/dev/null && fail "$address:$port is open to containers"
		done
	done
	docker exec probe ping -c 1 -W 1 192.0.2.1 >/dev/null && fail "the node answers a ping"
	docker exec probe ping -c 1 -W 2 "$gw" >/dev/null
}
