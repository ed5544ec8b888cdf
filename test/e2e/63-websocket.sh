# Attach over a WebSocket, as browsers and docker-py's attach_socket(ws=1) do.

ws() { python3 test/e2e/websocket.py "$DOCKER_ADDR" "$DOCKER_CERT_PATH" "$@"; } # PATH SAY [HEADER...]
ALL="stream=1&stdin=1&stdout=1&stderr=1"

test_websocket_both_ways_without_frames() {
	docker run -di --name ws busybox sh -c 'read a; echo "heard $a"; echo wrong >&2; read b' >/dev/null
	ws "/containers/ws/attach/ws?$ALL" $'hello\n' >"$TMP/out" &
	wait_for 10 grep -q wrong "$TMP/out"
	docker rm -f ws >/dev/null
	wait $!
	has "$(cat "$TMP/out")" "heard hello"
	is "$(tail -1 "$TMP/out")" "-- 1000"
	is "$(tr -d '\0' <"$TMP/out" | wc -c)" "$(wc -c <"$TMP/out")" "bytes without NUL"
}

test_websocket_with_a_terminal() {
	docker run -dit --name ws busybox sh -c 'read a; echo "heard $a"; exit 3' >/dev/null
	has "$(ws "/v1.41/containers/ws/attach/ws?$ALL" $'hello\n')" "heard hello"
	is "$(docker wait ws)" 3
	docker rm ws >/dev/null
}

test_websocket_much_output_arrives_whole() {
	local want
	docker run -di --name ws busybox sh -c 'read go; seq 300000' >/dev/null
	want=$(seq 300000 | sha256sum)
	ws "/containers/ws/attach/ws?$ALL" $'go on\n' >"$TMP/out"
	is "$(tail -2 "$TMP/out" | head -1)" "$(seq 300000 | wc -c) ${want%% *}"
	docker wait ws >/dev/null                     # the last byte is out a moment before the exit is recorded
	docker rm ws >/dev/null
}

test_websocket_goodbye_is_a_detach() {
	docker run -di --name ws busybox cat >/dev/null
	has "$(ws "/containers/ws/attach/ws?$ALL" '!bye')" "-- 1000"
	has "$(ws "/containers/ws/attach/ws?$ALL" '!nonsense')" "-- 1002"
	is "$(inspect ws '{{.State.Running}}')" true
	docker rm -f ws >/dev/null
}

test_websocket_refusals() {
	docker run -di --name ws busybox cat >/dev/null
	is "$(ws "/containers/ws/attach/ws?$ALL" "" "Origin: https://evil.example")" 403
	has "$(ws "/containers/ws/attach/ws?$ALL" '!bye' "Origin: https://$DOCKER_ADDR")" "-- 1000"
	is "$(ws "/containers/ws/attach/ws?$ALL" "" "Sec-WebSocket-Version: 8")" 400
	is "$(ws "/containers/ws/attach/ws?$ALL" "" "Sec-WebSocket-Key: x")" 400
	is "$(ws "/containers/ws/attach/ws?$ALL" "" "Upgrade: tcp")" 400
	is "$(ws "/containers/ws/attach/ws" "")" 400
	is "$(ws "/containers/nosuch/attach/ws?$ALL" "")" 404
	api_refused 400 "no upgrade" GET "/containers/ws/attach/ws?$ALL"
	docker rm -f ws >/dev/null
}
