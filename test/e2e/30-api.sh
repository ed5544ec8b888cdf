# The Docker API's frame: versions, who may ask, what is not there, tenants.

test_ping_version_and_ca_answer_without_a_certificate() {
	local path
	for path in /_ping /version /ca.pem /v1.41/_ping; do
		is "$(curl -sSk -o "$TMP/body" -w '%{http_code}' "https://$DOCKER_ADDR$path")" 200 "$path"
	done
	curl -sSk "https://$DOCKER_ADDR/ca.pem" | cmp - "$DOCKER_CERT_PATH/ca.pem"
	has "$(curl -sSkI "https://$DOCKER_ADDR/_ping" | tr -d '\r')" "Api-Version: 1.50"
}

# H22
test_h22_everything_else_is_401_without_a_certificate() {
	local path
	for path in /info /containers/json /images/json /nope /v1.41/containers/json; do
		is "$(curl -sSk -o "$TMP/body" -w '%{http_code}' "https://$DOCKER_ADDR$path")" 401 "$path"
	done
	has "$(jq -r .message "$TMP/body")" "certificate"
}

test_the_servers_certificate_is_signed_by_the_ca() {
	exits 0 curl -sS --cacert "$DOCKER_CERT_PATH/ca.pem" "https://$DOCKER_ADDR/_ping"
	exits 60 curl -sS "https://$DOCKER_ADDR/_ping"
}

test_old_tls_is_refused() {
	local v
	for v in -tls1 -tls1_1; do
		openssl s_client $v -cipher 'ALL:@SECLEVEL=0' -connect $DOCKER_ADDR </dev/null >"$TMP/out" 2>&1 && fail "$v was accepted"
	done
	true
}

test_versions_are_negotiated() {
	has "$(docker version -f '{{.Client.APIVersion}} {{.Server.APIVersion}} {{.Server.MinAPIVersion}}')" "1.50 1.24"
	is "$(DOCKER_API_VERSION=1.30 docker version -f '{{.Client.APIVersion}}')" 1.30
	for v in 1.24 1.30 1.41 1.44 1.50; do
		is "$(api_status GET /v$v/containers/json)" 200 "v$v"
	done
}

# H28
test_h28_versions_out_of_range_are_refused() {
	api_refused 400 "1.24" GET /v1.12/containers/json
	api_refused 400 "1.50" GET /v1.99/containers/json
	api_refused 400 "" GET /v99.9/containers/json
	is "$(api_status GET /vX/containers/json)" 404
}

test_old_clients_run_containers_with_the_right_exit_code() {
	local v
	for v in 1.24 1.30 1.41; do
		DOCKER_API_VERSION=$v exits 3 docker run --name old busybox sh -c 'echo out; exit 3'
		is "$out" out "API $v"
		DOCKER_API_VERSION=$v docker rm old >/dev/null
	done
}

test_info_says_what_the_issue_asks_for() {
	is "$(docker info -f '{{.Name}}')" e2e
	is "$(api GET /info | jq -r .SDCAccount)" me
	has "$(docker info)" "Storage Driver: overlay"
	is "$(docker info -f '{{.NCPU}}')" "$(nproc --all)"
	is "$(docker info -f '{{.MemTotal}}')" "$(awk '/^MemTotal/ {printf "%.0f", $2 * 1024}' /proc/meminfo)"
}

test_what_is_not_there_yet_is_501_with_its_name() {
	api_refused 503 "swarm" GET /services
	api_refused 404 "" GET /nonsense
	api_refused 405 "" DELETE /info
}

test_the_administrators_doors_are_shut() {
	api_refused 404 "" GET /triton/v1/accounts
	api_refused 404 "" POST /triton/v1/accounts -d '{"login":"evil"}'
	is "$(as boss curl -sS --cacert "$HOME/.triton/docker/boss/ca.pem" --cert "$HOME/.triton/docker/boss/cert.pem" \
		--key "$HOME/.triton/docker/boss/key.pem" -o /dev/null -w '%{http_code}' "https://$DOCKER_ADDR/triton/v1/state")" 404
}

test_another_accounts_objects_are_404() {
	local id other_id
	id=$(docker run -d --name hidden -v hiddenvol:/v busybox sleep 100)
	has_not "$(as other docker ps -a --no-trunc)" "$id"
	has_not "$(as other docker volume ls)" hiddenvol
	refused "No such container" as other docker inspect --type container hidden
	refused "No such container" as other docker inspect --type container "$id"
	refused "No such container" as other docker rm "$id"
	refused "No such container" as other docker exec "$id" true
	refused "No such container" as other docker logs "$id"
	refused "No such container" as other docker run --rm --network "container:$id" busybox true
	refused "" as other docker run --rm --volumes-from "$id" busybox true
	refused "no such volume" as other docker volume inspect hiddenvol
	other_id=$(as other docker run -d --name hidden busybox sleep 100)          # names are per account
	[ "$other_id" != "$id" ]
	as other docker rm -f hidden >/dev/null
	docker rm -f -v hidden >/dev/null
	docker volume rm hiddenvol >/dev/null
}

# J15
test_j15_host_powers_are_for_operators() {
	local flags
	for flags in --privileged "--pid host" "--network host" "-v /:/host" "--mount type=bind,source=/,target=/h" \
		"--device /dev/null" "--security-opt seccomp=unconfined" "--uts host" "--ipc host" "--userns host" "--cap-add SYS_ADMIN" "--cap-add ALL" \
		"--oom-score-adj -500" "--security-opt systempaths=unconfined" "--cgroupns host" "--cgroup-parent /x"; do
		exits 125 docker run --rm $flags busybox true
		has_not "$out" "500"
	done
	exits 0 as boss docker run --rm --network host busybox true
	exits 0 as boss docker run --rm -v "$ROOT/test:/t:ro" busybox test -e /t/e2e/run
}

test_events_tell_a_containers_life() {
	docker events --since "$(date +%s.%N)" --format '{{.Type}} {{.Action}}' --filter container=evt >"$TMP/events" &
	local pid=$!
	docker run --rm --name evt busybox true
	wait_for 20 grep -q destroy "$TMP/events"
	kill $pid
	sleep 1.1                                         # the CLI's --until knows whole seconds only
	is "$(grep -c . "$TMP/events" | awk '{print ($1 >= 4)}')" 1
	has "$(xargs <"$TMP/events")" "container create container"
	has "$(xargs <"$TMP/events")" "container start"
	has "$(xargs <"$TMP/events")" "container die"
	has "$(docker events --since 10m --until 0s --filter container=evt --format '{{.Action}}' | xargs)" "die destroy"
}

test_networks_are_listed() {
	has "$(docker network ls --format '{{.Name}}')" bridge
	local id
	id=$(docker run -d --name netty busybox sleep 50)
	has "$(docker network inspect bridge)" "$(inspect netty '{{.NetworkSettings.IPAddress}}')"
	has_not "$(as other docker network inspect bridge)" "$id"
	docker rm -f netty >/dev/null
}

test_volumes() {
	docker volume create --label a=b vol1 >/dev/null
	has "$(docker volume ls -q)" vol1
	is "$(docker volume inspect -f '{{.Name}} {{.Labels.a}}' vol1)" "vol1 b"
	docker run --rm -v vol1:/v busybox sh -c 'echo kept >/v/f'
	is "$(docker run --rm -v vol1:/v:ro busybox cat /v/f)" kept
	exits 1 docker run --rm -v vol1:/v:ro busybox sh -c 'echo x >/v/f'
	docker create --name user -v vol1:/v busybox >/dev/null
	refused "in use" docker volume rm vol1
	docker rm user >/dev/null
	docker volume rm vol1 >/dev/null
	refused "no such volume" docker volume inspect vol1
}

# More at once than a process may have files as systems come (1,024).
test_many_connections_at_once() {
	is "$(python3 test/e2e/many.py "$RUN/docker.sock" 1500 500)" "1500 500 1000"
	docker version >/dev/null
}
