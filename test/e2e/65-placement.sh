# Where containers go, as far as one node shows it: rules, refusals with their reasons, and the operator's `triton node`.

node() { "$BINARY" node "$@" --run-dir "$RUN"; }
this_node() { node list --json | jq -r '.[0].node.name'; }

test_nodes_are_listed_and_shown() {
	local me
	me=$(this_node)
	has "$(node list)" "NAME * STATE * AVAILABILITY"
	has "$(node list)" "$me * up * active"
	has "$(node show "$me")" "Node * $me (up, active)"
	has "$(node show "$(node list --json | jq -r '.[0].node.id[:12]')")" "Memory"
	refused "no node nosuch" node show nosuch
	refused "needs more words" node show
	refused "takes no --force" node list --force
	has "$(node show "$me" --json | jq -r .node.id)" "????????"
	has "$(docker info --format '{{json .DriverStatus}}')" "Nodes"
}

test_the_node_of_a_container_is_shown() {
	local me
	me=$(this_node)
	docker run -d --name where busybox sleep 100 >/dev/null
	is "$(docker ps --filter name=where --format '{{.Label "com.triton.node"}}')" "$me"
	is "$(docker ps -q --filter name=where --filter label=com.triton.node="$me" | wc -l)" 1
	is "$(docker ps -q --filter name=where --filter label=com.triton.node=other | wc -l)" 0
	is "$(docker inspect where | jq -r '.[0].Node.Name')" "$me"
	has "$(docker inspect where | jq -c '.[0].Node')" '"ID":"*"Cpus":*"Memory":'
	is "$(inspect where '{{index .Config.Labels "com.triton.node"}}')" ""
	docker rm -f where >/dev/null
}

test_constraints_on_labels_of_nodes() {
	local me
	me=$(this_node)
	node label "$me" disk=ssd >/dev/null
	has "$(node list)" "disk=ssd"
	has_not "$(docker run --rm -e constraint:disk==ssd -e constraint:node!=other busybox env)" constraint
	is "$(docker run --rm -e constraint:disk==s* -e A=1 busybox sh -c 'echo $A')" 1
	is "$(docker run --rm --label 'com.docker.swarm.constraints=["disk==/^ss?d$/"]' busybox echo yes)" yes
	refused "of 1 node 1 does not meet its constraints" docker run --rm -e constraint:disk==hdd busybox true
	is "$(docker run --rm -e constraint:disk==~hdd busybox echo soft)" soft
	refused "invalid rule \"disk=ssd\": it needs KEY==VALUE" docker run --rm -e constraint:disk=ssd busybox true
	refused "regular expression: ( without )" docker run --rm -e 'constraint:disk==/(/' busybox true
	refused "must be a JSON list" docker run --rm --label com.docker.swarm.constraints=disk==ssd busybox true
	node label "$me" disk >/dev/null
	refused "does not meet its constraints" docker run --rm -e constraint:disk==ssd busybox true
	refused "invalid label" node label "$me" 'a b=c'
}

test_affinities_to_containers() {
	docker run -d --name db1 --label tier=db busybox sleep 100 >/dev/null
	for rule in container==db1 container==db* 'container==/^db[0-9]$/' image==busybox tier==db container!=web* container==~nosuch tier!=~db; do
		is "$(docker run --rm -e "affinity:$rule" busybox echo ok)" ok "$rule"
	done
	for rule in container!=db1 container!=db* tier!=db container==nosuch image!=busybox; do
		refused "of 1 node 1 is ruled out by its affinities" docker run --rm -e "affinity:$rule" busybox true
	done
	docker create --name shown -e affinity:tier==db -e X=1 busybox >/dev/null
	is "$(inspect shown '{{index .Config.Labels "com.docker.swarm.affinities"}}')" '["tier==db"]'
	has_not "$(inspect shown '{{.Config.Env}}')" affinity
	docker rm -f shown db1 >/dev/null
}

test_a_drained_node_takes_nothing_new() {
	local me
	me=$(this_node)
	docker run -d --name stays --restart always busybox sleep 1000 >/dev/null
	node drain "$me" >/dev/null
	has "$(node list)" "$me * drain"
	refused "no node has room for this container (1024 MiB): of 1 node 1 is drained" docker run --rm busybox true
	is "$(api_status POST /containers/create -H 'Content-Type: application/json' -d '{"Image":"busybox","Cmd":["true"]}')" 503
	node activate "$me" >/dev/null
	is "$(run echo back)" back
	is "$(inspect stays '{{.State.Running}} {{.RestartCount}}')" "true 0"     # there was nowhere to go
	docker rm -f stays >/dev/null
}

test_stated_memory_is_not_overbooked() {
	local i total
	total=$(node list --json | jq '.[0].node.memory / 1024 / 1024 / 1024 / 4 | floor')
	[ "$total" -ge 1 ] || skip "this machine has less than 4 GiB"
	for ((i = 0; i <= total; i++)); do
		docker create --name "big$i" -m 4g busybox >"$TMP/out" 2>&1 || break
	done
	has "$(cat "$TMP/out")" "no node has room for this container (4096 MiB): of 1 node 1 has too little memory left"
	is "$(docker run --rm busybox echo default)" default                     # nobody said how much: it takes what is left
	docker update -m 5g --memory-swap -1 big0 >"$TMP/out" 2>&1 && fail "an update overbooked"
	docker rm big0 >/dev/null
	docker create --name big0 -m 4g busybox >/dev/null
	for ((i = i - 1; i >= 0; i--)); do docker rm "big$i" >/dev/null; done
	has "$(node show "$(this_node)")" " 0B promised to containers of a stated size"
}

test_volumes_made_first_go_with_their_container() {
	docker volume create early >/dev/null
	docker run --rm -v early:/v busybox sh -c 'echo x >/v/f'
	is "$(docker run --rm -v early:/v busybox cat /v/f)" x
	docker volume rm early >/dev/null
}
