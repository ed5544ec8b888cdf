# Every option of every endpoint and every field of every body, as the tables of the program have them (walk.py).

# As the operator on the local socket, who may ask for most.
need_apitable() {
	root_docker image inspect busybox >/dev/null 2>&1 || busybox_tar | root_docker import - busybox >/dev/null
	[ build/apitable -nt test/unit/docker/apitable.c ] || make -s build/apitable >/dev/null
	build/apitable >"$TMP/table"
}

# limit test_every_endpoint_and_object_of_cloudapi 120
test_every_endpoint_and_object_of_cloudapi() {
	local api_pid
	need_apitable
	build/apitable cloud >"$TMP/table"
	api_pid=$(role_pid api)
	ssh-keygen -q -t ecdsa -m PEM -N '' -C "walker's key" -f "$TMP/k"
	"$TRITON" account add walker --key "$TMP/k.pub" --run-dir "$RUN" >/dev/null
	trap '"$TRITON" account rm walker --run-dir "$RUN" >/dev/null; rm -rf "$TMP"' EXIT
	python3 test/e2e/walk-cloud.py "$CLOUD_ADDR" "$DOCKER_CERT_PATH/ca.pem" "$TMP/table" walker "$TMP/k" \
		"$(ssh-keygen -l -E md5 -f "$TMP/k.pub" | sed 's/.*MD5:\([^ ]*\).*/\1/')" other
	is "$(role_pid api)" "$api_pid" "the api process"
}

# limit test_every_field_of_every_body 240
test_every_field_of_every_body() {
	local api_pid
	need_apitable
	api_pid=$(role_pid api)
	python3 test/e2e/walk.py "$RUN/docker.sock" "$TMP/table" bodies
	is "$(role_pid api)" "$api_pid" "the api process"
}

# limit test_every_option_of_every_endpoint 240
test_every_option_of_every_endpoint() {
	local api_pid
	need_apitable
	api_pid=$(role_pid api)
	python3 test/e2e/walk.py "$RUN/docker.sock" "$TMP/table" options
	is "$(role_pid api)" "$api_pid" "the api process"
}
