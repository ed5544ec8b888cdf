# Options of the docker CLI that no other file is about; 74-commands.sh looks that none is forgotten.

test_options_of_run_that_the_client_reads() {
	printf 'a=1\n# no label\nb=two words\n' >"$TMP/labels"
	docker run -d --name opts --label-file "$TMP/labels" --cidfile "$TMP/cid" --disable-content-trust --sig-proxy=false busybox sleep 1000 >/dev/null
	is "$(inspect opts '{{.Config.Labels.a}} {{.Config.Labels.b}}')" "1 two words"
	is "$(cat "$TMP/cid")" "$(inspect opts '{{.Id}}')"
	printf 'ONE=1\n# none\n' >"$TMP/env"
	is "$(docker exec --env-file "$TMP/env" opts sh -c 'echo $ONE')" 1
	is "$(docker container inspect --size -f '{{.SizeRw}}' opts)" 0
	[ "$(docker container inspect --size -f '{{.SizeRootFs}}' opts)" -gt 1000 ]
	timeout -s KILL 0.3 docker attach --sig-proxy=false --no-stdin opts || true
	is "$(inspect opts '{{.State.Running}}')" true
	docker rm -f opts >/dev/null
	docker create --name opts busybox >/dev/null
	docker export --output "$TMP/opts.tar" opts
	has "$(tar -tf "$TMP/opts.tar")" bin/busybox
	refused "for operator accounts only" docker update --cpu-rt-period 1000000 --cpu-rt-runtime 1000 opts
	docker rm opts >/dev/null
	refused "can only be used with unix sockets" docker create --use-api-socket busybox
	for option in "--cpu-count 1" "--cpu-percent 1" "--io-maxiops 1" "--io-maxbandwidth 1m"; do
		refused "is only supported on a Docker daemon running on windows" docker create $option busybox
	done
	refused "invalid isolation 'hyperv' on linux" docker create --isolation hyperv busybox
	refused "is not a block device of this machine" docker run --rm --blkio-weight-device /dev/nosuch:100 busybox
	refused "StartInterval in Healthcheck cannot be less than 1ms" docker create --health-cmd x --health-start-interval 1us busybox
	refused "StartPeriod in Healthcheck cannot be less than 1ms" docker create --health-cmd x --health-start-period 1us busybox
}

test_images_have_one_platform() {
	local arch other
	arch=$(docker image inspect -f '{{.Architecture}}' busybox)
	other=$([ "$arch" = arm64 ] && echo amd64 || echo arm64)
	is "$(docker run --rm --platform "linux/$arch" --pull never busybox echo here)" here
	is "$(docker image inspect --platform "linux/$arch" -f '{{.Os}}' busybox)" linux
	has "$(docker history --platform "linux/$arch" busybox)" "Imported"
	docker save --platform "linux/$arch" -o "$TMP/image.tar" busybox
	has "$(docker load --platform "linux/$arch" -i "$TMP/image.tar")" "Loaded image: busybox:latest"
	for command in "run --rm --pull never --platform linux/$other busybox true" "image inspect --platform linux/$other busybox" "history --platform linux/$other busybox" \
		"save --platform linux/$other -o $TMP/no.tar busybox" "load --platform linux/$other -i $TMP/image.tar" "rmi --platform linux/$other busybox"; do
		refused "does not match the specified platform: wanted linux/$other, actual: linux/$arch" docker $command
	done
	refused "refused" docker pull --platform "linux/$other" 127.0.0.1:9/x
	docker import --platform "linux/$other" "$E2E/busybox.tar" foreign:1 >/dev/null
	is "$(docker image inspect -f '{{.Os}}/{{.Architecture}}' foreign:1)" "linux/$other"
	docker rmi --platform "linux/$other" foreign:1 >/dev/null
	refused '"bogus": unknown operating system or architecture' docker import --platform bogus "$E2E/busybox.tar" foreign:2
	refused "operating system is not supported" docker import --platform windows "$E2E/busybox.tar" foreign:2
	has "$(docker images --tree 2>/dev/null)" busybox:latest
}

test_options_of_a_build() {
	export DOCKER_BUILDKIT=0
	mkdir "$TMP/ctx"
	printf 'FROM busybox\nRUN cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; ulimit -n; df -m /dev/shm | tail -1; grep wanted /etc/hosts\n' >"$TMP/ctx/Dockerfile"
	out=$(docker build --no-cache --compress --disable-content-trust --iidfile "$TMP/iid" --memory 64m --memory-swap 128m --cpu-period 50000 --cpu-quota 25000 \
		--cpuset-cpus 0 --cpuset-mems 0 --shm-size 32m --ulimit nofile=77:77 --add-host wanted:192.0.2.9 "$TMP/ctx" 2>/dev/null)
	has "$out" $'\n134217728\n'            # the package
	has "$out" $'\n77\n'
	has "$out" " 32 "
	has "$out" "192.0.2.9*wanted"
	is "$(docker image inspect -f '{{.Id}}' "$(cat "$TMP/iid")")" "$(cat "$TMP/iid")"
	docker rmi "$(cat "$TMP/iid")" >/dev/null
	refused "--cgroup-parent is not supported" docker build --cgroup-parent /x "$TMP/ctx"
	refused "invalid isolation 'hyperv'" docker build --isolation hyperv "$TMP/ctx"
	refused "does not support setting security options on build" docker build --security-opt seccomp=unconfined "$TMP/ctx"
	refused '"bogus": unknown operating system' docker build --platform bogus "$TMP/ctx"
	refused "experimental" docker build --squash "$TMP/ctx"
	printf 'FROM 127.0.0.1:9/nosuch\n' >"$TMP/ctx/Dockerfile"
	refused "127.0.0.1:9" docker build --pull "$TMP/ctx"
	has "$(docker builder prune -f --all --keep-storage 1g --filter until=24h 2>/dev/null)" "0B"
	refused "invalid filter 'bogus'" docker builder prune -f --filter bogus=1
}

test_history_is_told_in_dockers_words() {
	export DOCKER_BUILDKIT=0
	mkdir "$TMP/ctx"
	printf 'FROM busybox\nWORKDIR /w\nENV Q=1\nSHELL ["/bin/ash", "-c"]\nVOLUME ["/v"]\nHEALTHCHECK --interval=90s CMD true\nENTRYPOINT run it\nCMD ["a b", "c"]\n' >"$TMP/ctx/Dockerfile"
	docker build -qt told:1 "$TMP/ctx" >/dev/null 2>&1
	is "$(docker history --no-trunc --human=false --format '{{.CreatedBy}}' told:1 | head -7)" \
'/bin/ash -c #(nop)  CMD ["a b" "c"]
/bin/ash -c #(nop)  ENTRYPOINT ["/bin/ash" "-c" "run it"]
/bin/ash -c #(nop)  HEALTHCHECK &{["CMD-SHELL" "true"] "1m30s" "0s" "0s" "0s" '"'\\x00'"'}
/bin/ash -c #(nop)  VOLUME [/v]
/bin/ash -c #(nop)  SHELL [/bin/ash -c]
/bin/sh -c #(nop)  ENV Q=1
/bin/sh -c #(nop) WORKDIR /w'
	# another interval is another step
	sed -i s/90s/91s/ "$TMP/ctx/Dockerfile"
	docker build -qt told:2 "$TMP/ctx" >/dev/null 2>&1
	is "$(docker image inspect -f '{{.Config.Healthcheck.Interval}}' told:2)" 1m31s
	docker rmi --no-prune told:2 >/dev/null
	docker rmi told:1 >/dev/null
	docker image prune -f --all --filter label=nosuch >/dev/null
	docker image prune -f >/dev/null
}

test_logs_details() {
	docker run --name detailed -l color=red -l size=big -l com.x.y=1 -e WHO=me -e WHERE=here --log-opt labels=color,nosuch --log-opt labels-regex='^com\.x' \
		--log-opt env=WHO --log-opt env-regex=^WHE --log-opt tag='{{.Name}}!' busybox echo said >/dev/null
	is "$(docker logs --details detailed)" "WHERE=here,WHO=me,color=red,com.x.y=1,tag=detailed! said"
	is "$(docker logs detailed)" said
	docker rm detailed >/dev/null
	docker run --name plain -l color=red busybox echo said >/dev/null
	is "$(docker logs --details plain | tr -d ' ')" said
	docker rm plain >/dev/null
	refused "log-opt labels-regex" docker create --log-opt labels-regex='(' busybox
}

test_options_of_networks() {
	local option
	docker network create --subnet 10.77.0.0/24 --ipam-driver default --ipv4 --scope local optnet >/dev/null
	docker run -d --name joins busybox sleep 1000 >/dev/null
	docker network connect --ip 10.77.0.9 --alias also --link joins:self --gw-priority 5 optnet joins
	is "$(inspect joins '{{with index .NetworkSettings.Networks "optnet"}}{{.IPAddress}} {{.GwPriority}} {{.Links}}{{end}}')" "10.77.0.9 5 [joins:self]"
	has "$(docker exec joins ip route)" "default via 10.77.0.1"
	refused "already exists in network optnet" docker network connect optnet joins
	docker network disconnect --force optnet joins
	refused "is not connected to network optnet" docker network disconnect optnet joins
	refused "--link-local-ip is not supported" docker network connect --link-local-ip 169.254.3.3 optnet joins
	refused "driver option a of a network endpoint is not supported" docker network connect --driver-opt a=b optnet joins
	refused "only when connecting to networks with user configured subnets" docker network connect --ip6 fd00::5 optnet joins
	docker rm -f joins >/dev/null
	is "$(docker network ls --no-trunc -q -f name=optnet)" "$(docker network inspect --verbose -f '{{.Id}}' optnet)"
	docker network rm optnet >/dev/null
	docker network rm --force optnet
	for option in "--config-only" "--config-from x" "--scope swarm" "--ipam-opt a=b" "--ipv4=false" "--ingress"; do
		refused " supported" docker network create $option refused
	done
	refused "could not find plugin nosuch" docker network create --ipam-driver nosuch refused
}

test_options_of_volumes() {
	local option
	for option in "--availability drain" "--group g --type block --scope multi --secret a=b --topology-required a=b --topology-preferred a=b" "--sharing all" \
		"--limit-bytes 1g" "--required-bytes 1g"; do
		refused "This node is not a swarm manager" docker volume create $option cluster
	done
	docker volume create -d local --label keep=1 named >/dev/null
	is "$(docker volume ls --cluster -q)" ""
	docker volume prune -f --all --filter label!=keep >/dev/null
	is "$(docker volume ls -q --filter name=named)" named
	docker volume prune -f >/dev/null
	is "$(docker volume ls -q --filter name=named)" named
	docker volume prune -f --all --filter label=keep >/dev/null
	is "$(docker volume ls -q --filter name=named)" ""
	refused "invalid filter 'bogus'" docker volume prune -f --filter bogus=1
}

test_options_that_watch() {
	docker create --name still busybox >/dev/null
	is "$(docker stats --all --no-stream --no-trunc --format '{{.ID}} {{.Name}}' | grep -c "$(inspect still '{{.Id}}') still")" 1
	is "$(docker stats --no-stream --format '{{.Name}}')" ""
	docker rm still >/dev/null
}

# The client shows the status only; the engine's sentence is in the answer.
test_detach_keys_are_checked() {
	docker run -d --name keys busybox sleep 1000 >/dev/null
	api_refused 400 "Invalid detach keys (no-key) provided" POST "/containers/keys/attach?stream=1&stdin=1&detachKeys=no-key"
	refused 400 docker attach --detach-keys no-key keys
	refused "Invalid detach keys (no-key) provided" docker exec --detach-keys no-key keys true
	docker stop -t 0 --signal KILL keys >/dev/null
	refused 400 docker start --detach-keys no-key -a keys
	docker restart -t 0 --signal KILL keys
	docker rm -f keys >/dev/null
}
