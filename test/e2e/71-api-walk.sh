# Every option of every endpoint and every field of every body, as the tables of the program have them (walk.py).

# As the operator on the local socket, who may ask for most.
need_apitable() {
	root_docker image inspect busybox >/dev/null 2>&1 || busybox_tar | root_docker import - busybox >/dev/null
	[ build/apitable -nt test/unit/docker/apitable.c ] || make -s build/apitable >/dev/null
	build/apitable >"$TMP/table"
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
