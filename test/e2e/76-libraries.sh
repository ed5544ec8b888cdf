# Other clients than the CLI: Debian's python3-docker and npm's dockerode through their whole surface (sdk/).

registry_here() { [ -e "$E2E/registry.missing" ] || echo "$REGISTRY"; }

# limit test_python3_docker 90
test_python3_docker() {
	/usr/bin/python3 -c 'import docker' 2>/dev/null || skip "there is no python3-docker (packaging/deps test installs it)"
	unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
	(cd "$TMP" && DOCKER_CONFIG=$TMP /usr/bin/python3 "$ROOT/test/e2e/sdk/python.py" "$(registry_here)")
}

# limit test_dockerode 90
test_dockerode() {
	command -v node >/dev/null || skip "there is no node (packaging/deps test installs it)"
	[ -d build/cache/npm/node_modules/dockerode ] || skip "there is no dockerode (packaging/deps test installs it where npm reaches its registry)"
	NODE_PATH=$PWD/build/cache/npm/node_modules TMPDIR=$TMP node test/e2e/sdk/node.js "$(registry_here)"
}

# dockerode asks for the end of a container with --rm after its start, when it may be gone already.
test_the_end_of_what_is_gone_already() {
	local id
	id=$(docker create --rm busybox sh -c 'exit 5')
	docker start "$id" >/dev/null
	wait_for 10 eval '! docker inspect "$id"'
	is "$(api POST "/containers/$id/wait" | jq .StatusCode)" 5
	is "$(DOCKER_CERT_PATH=$HOME/.triton/docker/other curl_as other -X POST "https://$DOCKER_ADDR/containers/$id/wait" -o /dev/null -w '%{http_code}')" 404
}
