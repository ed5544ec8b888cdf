# Other clients than the CLI: Debian's python3-docker and npm's dockerode through their whole surface (sdk/).

# limit test_python3_docker 90
test_python3_docker() {
	/usr/bin/python3 -c 'import docker' 2>/dev/null || skip "there is no python3-docker (packaging/deps test installs it)"
	unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
	/usr/bin/python3 test/e2e/sdk/python.py
}

# limit test_dockerode 90
test_dockerode() {
	command -v node >/dev/null || skip "there is no node (packaging/deps test installs it)"
	[ -d build/cache/npm/node_modules/dockerode ] || skip "there is no dockerode (packaging/deps test installs it where npm reaches its registry)"
	NODE_PATH=$PWD/build/cache/npm/node_modules TMPDIR=$TMP node test/e2e/sdk/node.js
}
