# Networks as objects: create, ls, inspect, rm, prune, connect, disconnect; several networks of a container; names in them.

ip_on() { inspect "$1" "{{(index .NetworkSettings.Networks \"$2\").IPAddress}}"; } # CONTAINER NETWORK
links_of() { docker exec "$1" ip -o link | sed 's/^[0-9]*: //; s/[:@].*//' | sort | awk '$1 != "lo" { printf "%s ", $1 }'; }
resolves() { (docker exec "$1" nslookup "$2" 2>/dev/null || true) | awk '/^Name:/ { on = 1 } on && /^Address/ { print $NF; exit }'; }
reaches() { # CONTAINER ADDRESS: what its web server says (not with wget: a static busybox has no resolver)
	docker exec "$1" sh -c "x=\$(printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 2 $2 80 | tail -n 1); [ \"\$x\" ] && echo \"\$x\""
}
web() { # NAME FLAG...: says its host name on port 80
	docker run -d --name "$@" busybox sh -c 'mkdir /www; hostname >/www/index.html; httpd -f -h /www' >/dev/null
	wait_for 10 reaches "$1" 127.0.0.1
}

test_create_ls_inspect_and_rm() {
	local id
	id=$(docker network create one)
	is ${#id} 64
	is "$(docker network ls -f name=one -f driver=bridge --format '{{.Name}} {{.Driver}} {{.Scope}}')" "one bridge local"
	is "$(docker network inspect one -f '{{(index .IPAM.Config 0).Subnet}} {{(index .IPAM.Config 0).Gateway}} {{.Internal}}')" \
		"172.18.0.0/16 172.18.0.1 false"
	is "$(docker network inspect "${id:0:12}" -f '{{.Name}}')" one
	docker network create -d overlay --attachable --internal --label a=b --label c --subnet 10.9.0.0/16 --ip-range 10.9.8.0/24 \
		--gateway 10.9.0.9 --aux-address printer=10.9.8.1 -o com.docker.network.driver.mtu=1400 two >/dev/null
	is "$(docker network inspect two -f '{{.Driver}} {{.Internal}} {{.Attachable}} {{json .Labels}} {{json (index .IPAM.Config 0)}}')" \
		'overlay true true {"a":"b","c":""} {"Subnet":"10.9.0.0/16","IPRange":"10.9.8.0/24","Gateway":"10.9.0.9","AuxiliaryAddresses":{"printer":"10.9.8.1"}}'
	docker run -d --name at2 --network two busybox sleep 1000 >/dev/null
	is "$(ip_on at2 two)" 10.9.8.0
	has "$(docker exec at2 ip link show eth0)" "mtu 1400"
	docker rm -f at2 >/dev/null
	is "$(docker network rm one two)" $'one\ntwo'
	refused "network one not found" docker network inspect one
}

test_networks_that_cannot_be() {
	docker network create --subnet 10.1.0.0/16 taken >/dev/null
	refused "network with name taken already exists" docker network create taken
	refused "Pool overlaps with other one on this address space" docker network create --subnet 10.1.2.0/24 x
	refused "invalid subnet 10.2.0.1/16: it should be 10.2.0.0/16" docker network create --subnet 10.2.0.1/16 x
	refused "no matching subnet for gateway" docker network create --subnet 10.2.0.0/16 --gateway 10.3.0.1 x
	api_refused 400 "invalid gateway 10.3.0.1" POST /v1.50/networks/create -d '{"Name":"x","IPAM":{"Config":[{"Subnet":"10.2.0.0/16","Gateway":"10.3.0.1"}]}}'
	api_refused 400 "it is not in the subnet" POST /v1.50/networks/create -d '{"Name":"x","IPAM":{"Config":[{"Subnet":"10.2.0.0/16","IPRange":"10.3.0.0/24"}]}}'
	api_refused 400 "auxiliary" POST /v1.50/networks/create -d '{"Name":"x","IPAM":{"Config":[{"Subnet":"10.2.0.0/16","AuxiliaryAddresses":{"a":"10.3.0.1"}}]}}'
	api_refused 400 "invalid network name" POST /v1.50/networks/create -d '{"Name":"a/b"}'
	api_refused 400 "invalid network name" POST /v1.50/networks/create -d '{}'
	refused "operation is not permitted on predefined bridge network" docker network create bridge
	refused "plugin not found" docker network create -d macvlan x
	refused "needs --ipv6" docker network create --subnet fd00::/64 x
	refused "/16 to /126" docker network create --ipv6 --subnet fe80::/64 x
	refused "it should be fd00:5::/64" docker network create --ipv6 --subnet fd00:5::1/64 x
	api_refused 400 "invalid gateway fd00:6::1" POST /v1.50/networks/create -d '{"Name":"x","EnableIPv6":true,"IPAM":{"Config":[{"Subnet":"fd00:5::/64","Gateway":"fd00:6::1"}]}}'
	refused "multiple subnets" docker network create --ipv6 --subnet fd00:5::/64 --subnet fd00:6::/64 x
	refused "1280 or more" docker network create --ipv6 -o com.docker.network.driver.mtu=1000 x
	api_refused 400 "not in the subnet" POST /v1.50/networks/create -d '{"Name":"x","EnableIPv6":true,"IPAM":{"Config":[{"Subnet":"fd00:5::/64","IPRange":"fd00:6::/80"}]}}'
	api_refused 400 "auxiliary" POST /v1.50/networks/create -d '{"Name":"x","EnableIPv6":true,"IPAM":{"Config":[{"Subnet":"fd00:5::/64","AuxiliaryAddresses":{"a":"fd00:6::1"}}]}}'
	api_refused 400 "EnableIPv6" POST /v1.50/networks/create -d '{"Name":"x","EnableIPv6":"x"}'
	refused "not supported" docker network create -o parent=eth0 x
	refused "not supported" docker network create --ingress x
	refused "bridge is a pre-defined network and cannot be removed" docker network rm bridge
	api_refused 403 "pre-defined" DELETE /v1.50/networks/bridge
	api_refused 404 "network nosuch not found" DELETE /v1.50/networks/nosuch
	api_refused 409 "already exists" POST /v1.50/networks/create -d '{"Name":"taken"}'
	docker network rm taken >/dev/null
}

test_filters_of_network_ls() {
	docker network create --label k=v --label only used >/dev/null
	docker network create unused >/dev/null
	docker run -d --name holder --network used busybox sleep 1000 >/dev/null
	is "$(docker network ls -f label=k=v --format '{{.Name}}')" used
	is "$(docker network ls -f label=only -f name=us --format '{{.Name}}')" used
	is "$(docker network ls -f type=custom --format '{{.Name}}' | sort | tr '\n' ' ')" "unused used "
	is "$(docker network ls -f type=builtin --format '{{.Name}}' | sort | tr '\n' ' ')" "bridge host none "
	is "$(docker network ls -f dangling=true --format '{{.Name}}')" unused
	is "$(docker network ls -f driver=null --format '{{.Name}}')" none
	is "$(docker network ls -qf "id=$(docker network inspect used -f '{{.Id}}' | head -c 12)" | wc -l)" 1
	is "$(docker network ls -qf scope=swarm)" ""
	refused "invalid filter" docker network ls -f type=nonsense
	refused "nvalid filter" docker network ls -f nonsense=1
	is "$(docker ps -q -f network=used | wc -l)" 1
	is "$(docker network inspect used -f '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}')" "holder $(ip_on holder used)/16"
	docker rm -f holder >/dev/null
	docker network rm used unused >/dev/null
}

test_a_network_in_use_stays_and_prune_takes_the_rest() {
	docker network create held >/dev/null
	docker network create --label keep kept >/dev/null
	docker network create loose >/dev/null
	docker run -d --name holder --network held busybox sleep 1000 >/dev/null
	refused "network held has active endpoints (name:\"holder\"" docker network rm held
	api_refused 403 "error while removing network: " DELETE /v1.50/networks/held
	has "$(docker network prune -f --filter label!=keep)" loose
	is "$(docker network ls -qf type=custom | wc -l)" 2
	docker stop -t 0 holder >/dev/null
	has "$(docker network prune -f)" held
	refused "not found" docker start holder
	docker rm holder >/dev/null
	is "$(docker network ls -qf type=custom | wc -l)" 0
}

test_containers_meet_by_name_on_their_network() {
	docker network create front >/dev/null
	docker network create back >/dev/null
	web web --network front --network-alias www --network-alias WWW2
	docker run -d --name client --network front busybox sleep 1000 >/dev/null
	docker run -d --name stranger --network back busybox sleep 1000 >/dev/null
	local ip
	ip=$(ip_on web front)
	for name in web www www2 web.front "$(inspect web '{{printf "%.12s" .Id}}')"; do is "$(resolves client "$name")" "$ip" "$name"; done
	is "$(resolves stranger web)" ""
	is "$(resolves stranger www)" ""
	has "$(reaches client "$ip")" "$(inspect web '{{.Config.Hostname}}')"
	exits 1 reaches stranger "$ip"
	has "$(inspect web '{{json .NetworkSettings.Networks.front.Aliases}}')" '"www"'
	docker rm -f web client stranger >/dev/null
	docker network rm front back >/dev/null
}

test_several_networks_of_one_container() {
	docker network create front >/dev/null
	docker network create --internal aback >/dev/null
	web db --network aback
	web lb --network front --network aback
	is "$(links_of lb)" "eth0 eth1 "
	is "$(docker exec lb ip -o -4 addr show eth0 | awk '{print $4}')" "$(ip_on lb front)/16"
	is "$(docker exec lb ip -o -4 addr show eth1 | awk '{print $4}')" "$(ip_on lb aback)/16"
	has "$(docker exec lb ip route)" "default via $(inspect lb '{{.NetworkSettings.Networks.front.Gateway}}') dev eth0"
	is "$(resolves lb db)" "$(ip_on db aback)"
	is "$(resolves db lb)" "$(ip_on lb aback)"
	is "$(reaches lb 192.0.2.2)" "hello from outside"
	exits 1 reaches db 192.0.2.2
	has_not "$(docker exec db ip route)" default
	docker restart -t 0 lb >/dev/null
	is "$(links_of lb)" "eth0 eth1 "
	has "$(docker exec lb ip route)" "dev eth0"
	docker rm -f lb db >/dev/null
	docker network rm front aback >/dev/null
}

test_connect_and_disconnect_a_running_container() {
	docker network create late >/dev/null
	docker run -d --name it -p 18087:80 busybox sh -c 'mkdir /www; echo moved >/www/index.html; httpd -f -h /www' >/dev/null
	web peer --network late
	is "$(resolves it peer)" ""
	docker network connect --alias dear late it
	is "$(links_of it)" "eth0 eth1 "
	is "$(docker exec it ip -o -4 addr show eth1 | awk '{print $4}')" "$(ip_on it late)/16"
	is "$(resolves it peer)" "$(ip_on peer late)"
	is "$(resolves peer dear)" "$(ip_on it late)"
	has "$(docker exec it cat /etc/hosts)" "$(ip_on it late)"
	refused "endpoint with name it already exists in network late" docker network connect late it
	is "$(curl -s -m 5 http://192.0.2.1:18087/)" moved
	docker network disconnect bridge it
	is "$(links_of it)" "eth1 "
	has "$(docker exec it ip route)" "default via $(inspect it '{{.NetworkSettings.Networks.late.Gateway}}') dev eth1"
	is "$(docker exec it cat /etc/resolv.conf | head -1)" "nameserver $(inspect it '{{.NetworkSettings.Networks.late.Gateway}}')"
	is "$(curl -s -m 5 http://192.0.2.1:18087/)" moved
	is "$(reaches it 192.0.2.2)" "hello from outside"
	refused "is not connected to network bridge" docker network disconnect bridge it
	docker network connect bridge it
	is "$(links_of it)" "eth0 eth1 "
	docker network disconnect late it
	docker network disconnect bridge it
	is "$(links_of it)" ""
	is "$(inspect it '{{json .NetworkSettings.Networks}}')" "{}"
	docker rm -f it peer >/dev/null
	docker network rm late >/dev/null
}

# As docker-compose does between create and start.
test_connect_and_disconnect_before_start() {
	docker network create --label com.docker.compose.project=p --label com.docker.compose.network=default p_default >/dev/null
	docker create --name c1 busybox sleep 1000 >/dev/null
	docker network disconnect bridge c1
	docker network connect --alias svc --alias c p_default c1
	docker start c1 >/dev/null
	is "$(links_of c1)" "eth0 "
	is "$(inspect c1 '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}')" "p_default "
	is "$(resolves c1 svc)" "$(ip_on c1 p_default)"
	docker rm -f c1 >/dev/null
	docker network rm p_default >/dev/null
}

test_addresses_and_macs_that_were_asked_for() {
	docker network create --subnet 10.5.0.0/24 --aux-address x=10.5.0.7 fixed >/dev/null
	docker network create auto >/dev/null
	docker run -d --name a1 --network fixed --ip 10.5.0.77 --mac-address 02:42:de:ad:00:01 busybox sleep 1000 >/dev/null
	is "$(ip_on a1 fixed) $(inspect a1 '{{.NetworkSettings.Networks.fixed.MacAddress}}')" "10.5.0.77 02:42:de:ad:00:01"
	has "$(docker exec a1 ip link show eth0)" 02:42:de:ad:00:01
	is "$(docker run --rm --network fixed busybox ping -c 1 -W 2 10.5.0.77 | grep -c '1 packets received')" 1
	refused "Address already in use" docker run --rm --network fixed --ip 10.5.0.77 busybox true
	refused "Address already in use" docker run --rm --network fixed --ip 10.5.0.7 busybox true
	refused "Address already in use" docker run --rm --network fixed --ip 10.5.0.1 busybox true
	refused "already in use" docker run --rm --network fixed --mac-address 02:42:de:ad:00:01 busybox true
	docker stop -t 0 a1 >/dev/null                    # an address is his who runs
	docker run -d --name a2 --hostname Hosty --network fixed --ip 10.5.0.77 --mac-address 02:42:de:ad:00:01 busybox sleep 1000 >/dev/null
	is "$(ip_on a2 fixed) $(inspect a2 '{{.NetworkSettings.Networks.fixed.MacAddress}}')" "10.5.0.77 02:42:de:ad:00:01"
	is "$(docker run --rm --network fixed busybox ping -c 1 -W 2 10.5.0.77 | grep -c '1 packets received')" 1
	has "$(docker run --rm --network fixed busybox nslookup hosty 2>&1 || true)" "Address: 10.5.0.77"
	is "$(api GET /containers/a2/json | jq -c '.NetworkSettings.Networks.fixed.DNSNames')" "[\"a2\",\"$(inspect a2 '{{slice .Id 0 12}}')\",\"Hosty\"]"
	refused "Address already in use" docker start a1
	docker rm -f a2 >/dev/null
	docker start a1 >/dev/null
	is "$(docker run --rm --network fixed busybox ping -c 1 -W 2 a1 | grep -c '(10.5.0.77)')" 1
	refused "no configured subnet contains IP address 10.6.0.1" docker run --rm --network fixed --ip 10.6.0.1 busybox true
	refused "user configured subnets" docker run --rm --network auto --ip 172.18.0.9 busybox true
	refused "user defined networks only" docker run --rm --ip 172.17.0.9 busybox true
	refused "invalid MAC address" docker run --rm --mac-address 01:00:5e:00:00:01 busybox true
	is "$(docker run --rm --mac-address 02:42:de:ad:00:02 busybox cat /sys/class/net/eth0/address)" 02:42:de:ad:00:02
	docker network disconnect fixed a1
	is "$(docker run --rm --network fixed --ip 10.5.0.77 busybox hostname -i)" 10.5.0.77
	docker rm -f a1 >/dev/null
	docker network rm fixed auto >/dev/null
}

test_links_are_names_of_one_container_only() {
	docker network create n >/dev/null
	web db1 --network n
	docker run -d --name app --network n --link db1:database busybox sleep 1000 >/dev/null
	docker run -d --name other --network n busybox sleep 1000 >/dev/null
	is "$(resolves app database)" "$(ip_on db1 n)"
	is "$(resolves other database)" ""
	web old
	docker run -d --name legacy --link old:ancient busybox sleep 1000 >/dev/null
	is "$(resolves legacy ancient)" "$(ip_on old bridge)"
	refused "could not get container for nosuch" docker run --rm --link nosuch:x busybox true
	docker rm -f db1 app other old legacy >/dev/null
	docker network rm n >/dev/null
}

test_connections_that_cannot_be() {
	docker network create n >/dev/null
	docker run -d --name alone --network none busybox sleep 1000 >/dev/null
	docker run -d --name plain busybox sleep 1000 >/dev/null
	docker run -d --name guest --network container:plain busybox sleep 1000 >/dev/null
	refused "private (none) mode" docker network connect n alone
	refused "sharing network namespace with another container" docker network connect n guest
	refused "connected to host network" docker network connect host plain
	refused "network nosuch not found" docker network connect nosuch plain
	refused "No such container: nosuch" docker network connect n nosuch
	refused "is not connected to network n" docker network disconnect n plain
	api_refused 400 "only for containers in user defined networks" POST /v1.50/containers/create -d \
		'{"Image":"busybox","Cmd":["true"],"NetworkingConfig":{"EndpointsConfig":{"bridge":{"Aliases":["x"]}}}}'
	api_refused 403 "already exists in network bridge" POST /v1.50/networks/bridge/connect -d '{"Container":"plain"}'
	api_refused 404 "No such container" POST /v1.50/networks/n/connect -d '{"Container":"nosuch"}'
	api_refused 400 "network alias" POST /v1.50/networks/n/connect -d '{"Container":"plain","EndpointConfig":{"Aliases":["a b"]}}'
	api_refused 400 "invalid IPv4 address" POST /v1.50/networks/n/connect -d '{"Container":"plain","EndpointConfig":{"IPAMConfig":{"IPv4Address":"x"}}}'
	docker rm -f alone guest plain >/dev/null
	docker network rm n >/dev/null
}

test_two_accounts_have_the_same_subnet() {
	docker network create --subnet 10.7.0.0/24 same >/dev/null
	as other docker network create --subnet 10.7.0.0/24 same >/dev/null
	web mine --network same --ip 10.7.0.5
	as other docker run -d --name theirs --network same --ip 10.7.0.5 busybox sh -c 'mkdir /www; echo theirs >/www/index.html; httpd -f -h /www' >/dev/null
	docker run -d --name near --network same busybox sleep 1000 >/dev/null
	as other docker run -d --name far --network same busybox sleep 1000 >/dev/null
	is "$(reaches near 10.7.0.5)" "$(inspect mine '{{.Config.Hostname}}')"
	is "$(DOCKER_CERT_PATH=$HOME/.triton/docker/other reaches far 10.7.0.5)" theirs
	refused "not found" docker network inspect "$(as other docker network inspect same -f '{{.Id}}')"
	as other docker rm -f theirs far >/dev/null
	as other docker network rm same >/dev/null
	docker rm -f mine near >/dev/null
	docker network rm same >/dev/null
}

test_containers_can_be_kept_apart() {
	docker network create -o com.docker.network.bridge.enable_icc=false apart >/dev/null
	web a1 --network apart
	docker run -d --name b1 --network apart busybox sleep 1000 >/dev/null
	exits 1 reaches b1 "$(ip_on a1 apart)"
	is "$(reaches b1 192.0.2.2)" "hello from outside"
	docker rm -f a1 b1 >/dev/null
	docker network rm apart >/dev/null
}

test_events_of_networks() {
	local since
	since=$(date +%s)
	docker network create ev >/dev/null
	docker run -d --name e1 busybox sleep 1000 >/dev/null
	docker network connect ev e1
	docker network disconnect ev e1
	docker rm -f e1 >/dev/null
	docker network rm ev >/dev/null
	is "$(docker events --since "$since" --until "$(($(date +%s) + 1))" -f type=network -f network=ev --format '{{.Action}}' | tr '\n' ' ')" \
		"create connect disconnect destroy "
}

# As docker-py sends it: everything that was not said is null.
test_create_with_nulls() {
	is "$(api_status POST /v1.38/networks/create -d '{"Name":"nulls","CheckDuplicate":null,"Driver":null,"Options":null,"Internal":false,
		"IPAM":{"Driver":"default","Config":[{"Subnet":null,"IPRange":null,"Gateway":null,"AuxiliaryAddresses":null}]},"Labels":null}')" 201
	docker create --name nully busybox true >/dev/null
	is "$(api_status POST /v1.38/networks/nulls/connect -d '{"Container":"nully","EndpointConfig":{"Aliases":["svc"],"Links":null,"IPAMConfig":{}}}')" 200
	is "$(api_status POST /v1.38/networks/nulls/disconnect -d '{"Container":"nully","Force":false}')" 200
	docker rm nully >/dev/null
	docker network rm nulls >/dev/null
}

# limit test_stop_containers_takes_all_networks 60
test_stop_containers_takes_all_networks() {
	serve_stop TERM
	serve_start --stop-containers
	docker network create here >/dev/null
	docker run -d --name on-it --network here busybox sleep 1000 >/dev/null
	[ "$(ls "$RUN/netns" | wc -l)" -gt 0 ]
	serve_stop TERM
	is "$(ls "$RUN/netns")" ""
	wait_for 20 eval '[ -z "$(ip -o link | grep ": tr")" ]'
	serve_start
	docker start on-it >/dev/null
	is "$(links_of on-it)" "eth0 "
	docker rm -f on-it >/dev/null
	docker network rm here >/dev/null
}

test_networks_that_are_gone_leave_the_node() {
	local before
	before=$(ls "$RUN/netns" | wc -l)
	docker network create gone >/dev/null
	docker run --rm --network gone busybox true
	is "$(ls "$RUN/netns" | wc -l)" $((before + 1))
	docker network rm gone >/dev/null
	wait_for 20 eval "[ \$(ls '$RUN/netns' | wc -l) = $before ]"
}

test_networks_survive_a_restart_of_the_node_role() {
	docker network create stay >/dev/null
	docker network create more >/dev/null
	web w1 --network stay
	docker run -d --name c1 --network stay busybox sleep 1000 >/dev/null
	kill -9 "$(role_pid node)"
	wait_for 10 docker run --rm busybox true
	is "$(reaches c1 "$(ip_on w1 stay)")" "$(inspect w1 '{{.Config.Hostname}}')"
	docker network connect more w1
	docker network connect more c1
	is "$(reaches c1 "$(ip_on w1 more)")" "$(inspect w1 '{{.Config.Hostname}}')"
	docker rm -f w1 c1 >/dev/null
	docker network rm stay more >/dev/null
}

# limit test_compose_makes_and_removes_its_networks 90
test_compose_makes_and_removes_its_networks() {
	command -v docker-compose >/dev/null || skip "there is no docker-compose (packaging/deps test installs it)"
	unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
	mkdir "$TMP/shop" && cd "$TMP/shop"
	cat >docker-compose.yml <<-'END'
		version: "2.4"
		services:
		  app:
		    image: busybox
		    command: sleep 1000
		    stop_grace_period: 0s
		    networks: { default: { aliases: [ front ] }, deep: { ipv4_address: 10.44.0.9 } }
		  db:
		    image: busybox
		    command: sleep 1000
		    stop_grace_period: 0s
		    networks: [ deep ]
		networks:
		  deep: { internal: true, ipam: { config: [ { subnet: 10.44.0.0/24 } ] } }
	END
	docker-compose up -d
	is "$(docker network ls -f label=com.docker.compose.project=shop --format '{{.Name}}' | sort | tr '\n' ' ')" "shop_deep shop_default "
	is "$(ip_on shop_app_1 shop_deep)" 10.44.0.9
	is "$(resolves shop_app_1 db)" "$(ip_on shop_db_1 shop_deep)"
	is "$(resolves shop_db_1 app)" 10.44.0.9
	is "$(resolves shop_app_1 front)" "$(ip_on shop_app_1 shop_default)"
	is "$(links_of shop_app_1)" "eth0 eth1 "
	has "$(docker-compose up -d 2>&1)" "shop_app_1 is up-to-date"
	docker-compose restart
	is "$(resolves shop_app_1 db)" "$(ip_on shop_db_1 shop_deep)"
	docker-compose down
	is "$(docker network ls -qf label=com.docker.compose.project=shop)" ""
}

test_a_running_container_joins_and_leaves_a_network_with_ipv6() {
	resolves_to() { docker exec server nslookup -type=aaaa moves 2>&1 | grep -qx "Address: $1"; }
	local server ip
	docker network create --ipv6 --subnet 10.89.0.0/24 --subnet fd00:89::/64 late >/dev/null
	docker run -d --name server --network late busybox sh -c 'mkdir /www; echo six >/www/index.html; httpd -f -h /www' >/dev/null
	docker run -d --name moves busybox sleep 1000 >/dev/null
	server=$(inspect server '{{.NetworkSettings.Networks.late.GlobalIPv6Address}}')
	for ip in fd00:89::77 fd00:89::78; do                # once, and again after it had left
		docker network connect --ip6 $ip late moves
		is "$(inspect moves '{{with .NetworkSettings.Networks.late}}{{.GlobalIPv6Address}}/{{.GlobalIPv6PrefixLen}} {{.IPv6Gateway}}{{end}}')" "$ip/64 fd00:89::1"
		has "$(docker exec moves ip -6 addr)" "inet6 $ip/64"
		wait_for 10 reaches moves "$server"
		wait_for 10 resolves_to "$ip"
		refused "Address already in use" docker run --rm --network late --ip6 $ip busybox true
		docker network disconnect late moves
		has_not "$(docker exec moves ip -6 addr)" fd00:89
		has_not "$(docker network inspect late)" "$ip/64"
	done
	refused "no configured subnet" docker network connect --ip6 fd00:90::1 late moves
	docker network connect late moves
	has "$(inspect moves '{{.NetworkSettings.Networks.late.GlobalIPv6Address}}')" fd00:89::
	docker rm -f server moves >/dev/null
	docker network rm late >/dev/null
}

test_ipv6_of_a_network() {
	local six
	docker network create --ipv6 --subnet 10.88.0.0/24 --subnet fd00:88::/64 --gateway fd00:88::9 six >/dev/null
	is "$(docker network inspect -f '{{.EnableIPv6}} {{(index .IPAM.Config 1).Gateway}}' six)" "true fd00:88::9"
	docker run -d --name six1 --network six -p 18088:80 busybox sh -c 'mkdir /www; echo six >/www/index.html; httpd -f -h /www' >/dev/null
	docker run -d --name six2 --network six --ip6 fd00:88::50 busybox sleep 1000 >/dev/null
	is "$(inspect six2 '{{with .NetworkSettings.Networks.six}}{{.GlobalIPv6Address}}/{{.GlobalIPv6PrefixLen}} {{.IPv6Gateway}}{{end}}')" \
		"fd00:88::50/64 fd00:88::9"
	six=$(inspect six1 '{{.NetworkSettings.Networks.six.GlobalIPv6Address}}')
	has "$(docker network inspect six)" "*\"IPv6Address\": \"$six/64\"*"
	wait_for 10 reaches six2 "$six"
	is "$(reaches six2 "$six")" six
	has "$(docker exec six2 cat /etc/hosts)" "*fd00:88::50*"
	has "$(docker exec six2 nslookup -type=aaaa six1 2>&1)" "*$six*"
	has "$(docker port six1)" "*0.0.0.0:18088*"
	has "$(docker port six1)" "*?::?:18088*"
	is "$(curl -gs --max-time 5 'http://[::1]:18088/')" six
	is "$(curl -s --max-time 5 http://127.0.0.1:18088/)" six
	refused "Address already in use" docker run --rm --network six --ip6 fd00:88::50 busybox true
	refused "no configured subnet" docker run --rm --network six --ip6 fd00:89::1 busybox true
	refused "on no network with IPv6" docker run --rm -p '[::1]:18089:80' busybox true
	docker rm -f six1 six2 >/dev/null
	docker run --rm --network six --ip6 fd00:88::50 busybox true
	docker network rm six >/dev/null
	docker network create --ipv6 own >/dev/null
	has "$(docker network inspect -f '{{(index .IPAM.Config 1).Subnet}}' own)" "fd*::/64"
	docker run --rm --network own -p '[::1]:18089:80' busybox true
	docker network rm own >/dev/null
}
