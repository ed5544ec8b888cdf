# Every command of the docker CLI has a test: the first test here looks for them, those after it are of commands that no
# other file is about.

# Words of the sections "Commands:" of a help text. Swarm's are apart.
commands_of() { # DOCKER COMMAND...
	{ "$@" --help 2>/dev/null || true; } | awk '/^([A-Z][a-z]+ )?Commands:$/ { on = !/^Swarm/; next } /^[^ ]/ { on = 0 } on && /^  [a-z]/ { print $1 }' | tr -d '*'
}

every_command() {
	local c sub
	for c in $(commands_of docker); do
		case $(docker "$c" --help 2>/dev/null || true) in
		*$'\nCommands:\n'*) for sub in $(commands_of docker "$c"); do echo "$c $sub"; done ;;
		*) echo "$c" ;;
		esac
	done
}

# "container start" is "start", "image rm" is "rmi": one of its names must be called in some test.
names_of() { # COMMAND
	echo "docker $1"
	case $1 in
	"container ls") echo "docker ps" ;;
	"image ls") echo "docker images" ;;
	"image rm") echo "docker rmi" ;;
	"builder build") echo "docker build" ;;
	"container "* | "image "*) echo "docker ${1#* }" ;;
	"system events" | "system info") echo "docker ${1#* }" ;;
	esac
}

test_every_command_has_a_test() {
	local command name missing="" n=0
	cat test/e2e/*.sh | grep -v '^ *#' | sed 's/docker \(--[a-z-]*[= ][^ ]* \)*/docker /' >"$TMP/tests"
	while read -r command; do
		n=$((n + 1))
		while read -r name; do
			grep -q "$name\b" "$TMP/tests" && continue 2
		done < <(names_of "$command")
		missing="$missing, docker $command"
	done < <(every_command)
	[ "$n" -gt 90 ] || fail "only $n commands were found"
	[ -z "$missing" ] || fail "no test for${missing#,}"
}

# limit test_every_option_has_a_test 120
test_every_option_has_a_test() {
	python3 test/e2e/options.py >"$TMP/missing" || fail "no test for $(paste -sd, "$TMP/missing")"
}

test_contexts() {
	export DOCKER_CONFIG=$TMP/config
	local host=$DOCKER_HOST certs=$DOCKER_CERT_PATH
	unset DOCKER_HOST DOCKER_TLS_VERIFY DOCKER_CERT_PATH
	docker context create rack --description "all of it" --docker "host=$host,ca=$certs/ca.pem,cert=$certs/cert.pem,key=$certs/key.pem" >/dev/null
	docker --context rack create --name seen busybox >/dev/null
	is "$(docker --context rack ps -aq --filter name=seen | wc -l)" 1
	docker context use rack >/dev/null
	is "$(docker context show)" rack
	docker rm seen >/dev/null
	is "$(docker context inspect rack -f '{{.Endpoints.docker.Host}}')" "$host"
	docker context update rack --description "half of it" >/dev/null
	has "$(docker context ls)" "half of it"
	docker context export rack "$TMP/rack.tar" >/dev/null 2>&1
	docker context use default >/dev/null
	docker context import copy "$TMP/rack.tar" >/dev/null
	has "$(docker --context copy version -f '{{.Server.Platform.Name}}')" triton
	docker context rm rack copy >/dev/null
	has_not "$(docker context ls -q)" rack
}

test_checkpoints_are_for_experimental_engines() {
	refused "experimental" docker checkpoint create x y
	refused "experimental" docker checkpoint ls x
	refused "experimental" docker checkpoint rm x y
	docker create --name still busybox >/dev/null
	api_refused 400 "experimental mode" POST "/containers/still/start?checkpoint=x"
	docker rm still >/dev/null
}

test_swarm_commands_are_answered_as_outside_a_swarm() {
	local command
	for command in "node ls" "service ls" "secret ls" "config ls" "service create busybox" "node update x" "service rm x" "swarm update --autolock=true" "swarm join-token worker" "swarm unlock-key"; do
		refused "This node is not a swarm manager" docker $command
	done
	refused "swarm mode is not supported" docker swarm init
	refused "swarm mode is not supported" docker swarm join --token x 127.0.0.1:2377
	refused "not part of a swarm" docker swarm leave
	is "$(docker info -f '{{.Swarm.LocalNodeState}}')" inactive
	refused "" docker volume update --availability pause nosuch
	api_refused 503 "not a swarm manager" PUT /volumes/x -d '{}'
}

test_there_are_no_plugins() {
	is "$(docker plugin ls -q)" ""
	refused "plugins are not supported" docker plugin install --grant-all-permissions x/y
	refused '"x/y' docker plugin inspect x/y
	local command
	for command in enable disable rm upgrade; do
		refused "not found" docker plugin $command x/y
	done
	refused "not found" docker plugin enable x/y
	refused "not found" docker plugin disable x/y
	refused "not found" docker plugin rm x/y
	refused "not found" docker plugin upgrade x/y
	refused "not found" docker plugin set x/y A=b
	refused "" docker plugin push x/y
	mkdir -p "$TMP/plugin/rootfs"
	echo '{}' >"$TMP/plugin/config.json"
	refused "plugins are not supported" docker plugin create x/y "$TMP/plugin"
}

# Content trust is between the CLI and a notary; the engine has no part in it.
test_trust() {
	refused "" docker trust inspect 127.0.0.1:9/x/y
	refused "" docker trust revoke --yes 127.0.0.1:9/x/y
	refused "" docker trust sign 127.0.0.1:9/x/y:1
	(cd "$TMP" && DOCKER_CONFIG=$TMP/config DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE=long-enough docker trust key generate alice >/dev/null)
	has "$(cat "$TMP/alice.pub")" "PUBLIC KEY"
	refused "" docker trust signer add --key "$TMP/alice.pub" alice 127.0.0.1:9/x/y
}

# Manifest lists are between the CLI and a registry.
test_manifests() {
	need_registry
	mkdir -p "$TMP/config" && export DOCKER_CONFIG=$TMP/config SSL_CERT_FILE=$E2E/registry/ca.crt
	printf '{"auths":{"%s":{"auth":"%s"}}}' "$REGISTRY" "$(printf pusher:secret | base64 -w0)" >"$TMP/config/config.json"
	python3 test/e2e/images.py push "https://$REGISTRY" "$E2E/registry/ca.crt" pusher:secret "$E2E/busybox.tar" docker test/single:1 >/dev/null
	has "$(docker manifest inspect "$REGISTRY/test/single:1")" layers
	docker manifest create "$REGISTRY/test/both:1" "$REGISTRY/test/single:1" >/dev/null
	docker manifest annotate --arch arm64 --os linux "$REGISTRY/test/both:1" "$REGISTRY/test/single:1"
	has "$(docker manifest inspect "$REGISTRY/test/both:1")" arm64
	refused "" docker manifest push "$REGISTRY/test/nosuch:1"
	docker manifest create "$REGISTRY/test/third:1" "$REGISTRY/test/single:1" >/dev/null
	docker manifest rm "$REGISTRY/test/third:1" >/dev/null
	refused "" docker pull "$REGISTRY/test/both:1"   # arm64 only
}

test_logout_forgets_the_login() {
	mkdir -p "$TMP/config" && export DOCKER_CONFIG=$TMP/config
	printf '{"auths":{"%s":{"auth":"%s"}}}' "$REGISTRY" "$(printf pusher:secret | base64 -w0)" >"$TMP/config/config.json"
	has "$(docker logout "$REGISTRY")" "Removing login credentials for $REGISTRY"
	has_not "$(cat "$TMP/config/config.json")" "$(printf pusher:secret | base64 -w0)"
}

test_system_df_counts_what_is_there() {
	docker volume create dfvol >/dev/null
	docker run --name dfc -v dfvol:/v busybox sh -c 'dd if=/dev/zero of=/y bs=1k count=200 2>/dev/null; mkdir /v/d; head -c 70000 /y >/v/d/f; ln /v/d/f /v/again; sync'
	docker system df --format '{{json .}}' >"$TMP/df"
	is "$(jq -r 'select(.Type=="Containers") | "\(.TotalCount) \(.Active)"' "$TMP/df")" "1 0"
	is "$(jq -r 'select(.Type=="Local Volumes") | "\(.TotalCount) \(.Active)"' "$TMP/df")" "1 1"
	has "$(jq -r 'select(.Type=="Images") | .Active' "$TMP/df")" 1
	has "$(docker system df -v)" dfvol
	is "$(api GET /system/df | jq '.Containers[0].SizeRw >= 200*1024')" true
	is "$(api GET /system/df | jq -c '.Volumes[0].UsageData')" '{"Size":70000,"RefCount":1}'
	is "$(api GET '/system/df?type=volume' | jq -c '[.Images, (.Volumes | length)]')" '[null,1]'
	api_refused 400 "unknown object type" GET '/system/df?type=nosuch'
	# A layer that two images have is there once, and is not free as long as one of them is used.
	docker commit dfc dfchild >/dev/null
	local base child all
	base=$(inspect busybox '{{.Size}}') child=$(inspect dfchild '{{.Size}}')
	all=$(api GET /system/df | jq .LayersSize)
	docker rmi dfchild >/dev/null
	is "$all" "$(($(api GET /system/df | jq .LayersSize) + child - base))"
	docker commit dfc dfchild >/dev/null
	is "$(api GET '/images/json?shared-size=1' | jq -c '.[] | select(.RepoTags == ["dfchild:latest"]) | [.SharedSize, .Size]')" "[$base,$child]"
	is "$(api GET /images/json | jq '[.[].SharedSize] | unique == [-1]')" true
	[ "$(docker system df -v --format '{{json .Images}}' | jq -r '.[] | select(.Repository == "dfchild") | .SharedSize')" != 0B ]
	docker rmi dfchild >/dev/null
	docker rm dfc >/dev/null
	docker volume rm dfvol >/dev/null
}

test_system_prune() {
	docker run --name old --label keep=no busybox true
	docker create --name kept --label keep=yes busybox >/dev/null
	docker network create oldnet >/dev/null
	docker volume create oldvol >/dev/null
	docker run --rm busybox true
	docker tag busybox prunable:1
	has "$(docker system prune -f --filter label!=keep=yes)" "Total reclaimed space"
	is "$(docker ps -a --format '{{.Names}}' --filter label=keep)" kept
	is "$(docker network ls -q --filter name=oldnet)" ""
	is "$(docker volume ls -q --filter name=oldvol)" oldvol
	docker image inspect prunable:1 >/dev/null
	docker rm kept >/dev/null
	docker system prune -f --volumes >/dev/null
	docker volume rm -f oldvol >/dev/null
	docker rmi prunable:1 >/dev/null
	has "$(docker system info)" "Server Version"
	has "$(docker system events --since 1m --until "$(($(date +%s) + 1))" --filter type=network)" oldnet
}

test_image_ls_and_its_filters() {
	docker build -q -t lsf:1 --label made=here - >/dev/null <<-'END'
		FROM busybox
		LABEL a=b
	END
	docker tag lsf:1 lsf:2
	is "$(docker image ls --format '{{.Tag}}' lsf | sort | xargs)" "1 2"
	is "$(docker image ls -q --filter label=made=here --filter label=a | sort -u | wc -l)" 1
	is "$(docker image ls --format '{{.Tag}}' --filter reference='ls*:2')" 2
	is "$(docker image ls -q --filter since=busybox:latest --filter reference=lsf | sort -u | wc -l)" 1
	is "$(docker image ls -q --filter before=lsf:1 --filter reference=busybox | wc -l)" 1
	has_not "$(docker image ls --filter dangling=true)" lsf
	docker rmi lsf:1 >/dev/null
	docker image inspect lsf:2 >/dev/null
	refused "invalid filter" docker image ls --filter nosuch=1
	docker image prune -af --filter label=made=here >/dev/null
	refused "No such image" docker image inspect lsf:2
}

test_wait_and_its_conditions() {
	docker run -d --name w1 busybox sh -c 'exit 7' >/dev/null
	docker run -d --name w2 busybox sh -c 'exit 8' >/dev/null
	is "$(docker wait w1 w2 | xargs)" "7 8"
	is "$(api POST '/containers/w1/wait?condition=not-running' | jq .StatusCode)" 7
	docker create --name w3 busybox sh -c 'exit 9' >/dev/null
	api POST '/containers/w3/wait?condition=next-exit' >"$TMP/next" &
	api POST '/containers/w3/wait?condition=removed' >"$TMP/removed" &
	wait_for 20 true
	docker start -a w3 || true
	wait_for 20 grep -q 9 "$TMP/next"
	is "$(jq .StatusCode "$TMP/next")" 9
	is "$(cat "$TMP/removed")" ""
	docker container rm w3 >/dev/null
	wait_for 20 grep -q 9 "$TMP/removed"
	api_refused 400 "invalid condition" POST '/containers/w1/wait?condition=nosuch'
	refused "No such container" docker wait nosuch
	docker rm w1 w2 >/dev/null
}

test_container_commands_by_their_long_names() {
	docker container create --name long --label a=b busybox sleep 1000 >/dev/null
	docker container start long >/dev/null
	is "$(docker container ls --filter label=a=b --format '{{.Names}}')" long
	docker container rename long longer
	docker container pause longer >/dev/null
	is "$(docker container inspect -f '{{.State.Status}}' longer)" paused
	docker container unpause longer >/dev/null
	is "$(docker container exec longer echo in)" in
	has "$(docker container top longer)" "sleep 1000"
	docker container stop -t 0 longer >/dev/null
	is "$(docker container prune -f --filter label=a=b | grep -c '^[0-9a-f]\{64\}$')" 1
}

# Docker's answers to names that can be nobody's: a slash in one is no other page.
test_names_with_slashes_are_names() {
	local command
	for command in "rm" "start" "stop" "kill" "restart" "pause" "unpause" "logs" "top" "attach" "wait" "port" "diff" "export" "commit" "update -m 64m" "stats --no-stream"; do
		refused "No such container: a/b" docker $command a/b
	done
	refused "No such container: a/b" docker exec a/b true
	refused "No such container: a/b" docker rename a/b c
	refused "No such container: a/b" docker cp a/b:/x -
	refused "No such container: a/b" docker cp "$TMP" a/b:/x
	refused "network a/b not found" docker network rm a/b
	refused "network a/b not found" docker network inspect a/b
	refused "No such container: nosuch" docker network connect a/b nosuch
	refused "get a/b: no such volume" docker volume rm a/b
	refused "get a/b: no such volume" docker volume inspect a/b
	refused 'create a/b: "a/b" includes invalid characters' docker volume create a/b
	refused 'create a/b: "a/b" includes invalid characters' docker run -v a/b:/x busybox
	refused "plugin \"a/b\" not found" docker plugin rm a/b
	refused "value is empty" docker start ''
	api_refused 404 "No such exec instance" GET /exec/a/b/json
	api_refused 404 "No such container: a%2fb" GET /containers/a%252fb/json
}
