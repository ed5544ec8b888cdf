# Health checks, and what is known of running containers: stats, top, pause.

health() { inspect "$1" '{{.State.Health.Status}}'; }
health_is() { [ "$(health "$1")" = "$2" ]; }

test_a_health_check_follows_the_container() {
	docker events --since "$(date +%s.%N)" --filter container=well --filter event=health_status --format '{{.Action}}' >"$TMP/events" &
	local events=$!
	docker run -d --name well --health-cmd 'test -e /ok && echo fine || { echo bad; exit 3; }' --health-interval 100ms --health-retries 2 \
		busybox sleep 100 >/dev/null
	docker run -d --name later --health-cmd true --health-interval 1h busybox sleep 100 >/dev/null
	has "$(docker ps --filter name=later --format '{{.Status}}')" "(health: starting)"
	docker rm -f later >/dev/null
	wait_for 20 health_is well unhealthy
	wait_for 20 sh -c 'docker ps --filter health=unhealthy --format "{{.Names}} {{.Status}}" | grep -q "^well .*(unhealthy)"' # the list hears of it later
	is "$(inspect well '{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}')" "3 bad"
	docker exec well touch /ok
	wait_for 20 health_is well healthy
	wait_for 20 sh -c 'docker ps --filter health=healthy --format "{{.Names}} {{.Status}}" | grep -q "well Up"'
	has "$(docker ps --format '{{.Status}}')" "(healthy)"
	wait_for 20 sh -c '[ "$(docker inspect -f "{{.State.Health.FailingStreak}} {{len .State.Health.Log}}" well)" = "0 5" ]'
	# It goes on over the end of every role, and says what changed meanwhile.
	kill -9 "$(role_pid node)" "$(role_pid api)" "$(role_pid state)"
	wait_for 10 docker exec well rm /ok
	wait_for 10 health_is well unhealthy
	wait_for 20 sh -c 'docker ps --filter health=unhealthy --format "{{.Status}}" | grep -q unhealthy'
	docker stop -t 0 well >/dev/null
	is "$(inspect well '{{.State.Health.Status}} {{len .State.Health.Log}}')" "unhealthy 5"
	docker start well >/dev/null
	is "$(docker inspect well | jq '.[0].State | .StartedAt[:19] as $at | [.Health.Log[]? | select(.Start[:19] < $at)] | length')" 0 "probes of before"
	docker rm -f well >/dev/null
	kill $events 2>/dev/null || true
	has "$(xargs <"$TMP/events")" "health_status: unhealthy health_status: healthy"
}

test_probes_are_ended_and_cut() {
	docker run -d --name slow --health-cmd 'echo begun; sleep 100' --health-timeout 1s --health-interval 100ms --health-retries 1 busybox sleep 100 >/dev/null
	wait_for 20 health_is slow unhealthy
	is "$(inspect slow '{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}')" "-1 Health check exceeded timeout (1s): begun"
	docker rm -f slow >/dev/null
	docker run -d --name loud --health-cmd 'seq 10000' --health-interval 100ms busybox sleep 100 >/dev/null
	wait_for 20 health_is loud healthy
	is "$(inspect loud '{{with index .State.Health.Log 0}}{{len .Output}}{{end}}')" 4099
	docker rm -f loud >/dev/null
	api POST '/containers/create?name=none' -d '{"Image":"busybox","Cmd":["sleep","100"],"Healthcheck":{"Test":["CMD","/nosuch"],"Interval":100000000,"Retries":1}}' >/dev/null
	docker start none >/dev/null
	wait_for 20 health_is none unhealthy
	has "$(inspect none '{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}')" "-1 OCI runtime exec failed: exec: \"/nosuch\": stat /nosuch: no such file or directory"
	docker rm -f none >/dev/null
}

test_health_checks_of_images_and_bad_ones() {
	docker import -c 'HEALTHCHECK --interval=100ms CMD true' -c 'CMD ["sleep","100"]' "$E2E/busybox.tar" checked >/dev/null
	docker run -d --name img checked sleep 100 >/dev/null
	wait_for 20 health_is img healthy
	docker rm -f img >/dev/null
	docker run -d --name img --no-healthcheck checked sleep 100 >/dev/null
	is "$(inspect img '{{.State.Health}}')" "<nil>"
	has "$(docker ps --filter health=none --format '{{.Names}}')" img
	docker rm -f img >/dev/null
	docker image rm checked >/dev/null
	api_refused 400 "Timeout in Healthcheck cannot be less than 1ms" POST /containers/create -d '{"Image":"busybox","Healthcheck":{"Test":["CMD","true"],"Timeout":5}}'
	api_refused 400 "Unknown healthcheck type 'FLY'" POST /containers/create -d '{"Image":"busybox","Healthcheck":{"Test":["FLY","true"]}}'
}

test_a_paused_container_is_not_probed() {
	docker run -d --name still --health-cmd 'date +%N >>/n' --health-interval 100ms busybox sleep 100 >/dev/null
	wait_for 20 health_is still healthy
	docker pause still >/dev/null
	has "$(docker ps --format '{{.Status}}')" "(Paused)"
	refused "is paused" docker exec still true
	local log
	log=$(inspect still '{{json .State.Health.Log}}')
	sleep 0.5
	is "$(inspect still '{{json .State.Health.Log}}')" "$log" "results while paused"
	docker unpause still >/dev/null
	wait_for 20 sh -c '[ "$(docker inspect -f "{{json .State.Health.Log}}" still)" != "$0" ]' "$log"
	docker rm -f still >/dev/null
}

test_stats_have_the_right_numbers() {
	docker run -d --name st -m 128m --cpus 0.5 busybox sh -c 'head -c 20000000 /dev/zero >/dev/shm/x; while :; do :; done' >/dev/null
	wait_for 20 sh -c '[ "$(docker stats --no-stream --format "{{.MemUsage}}" st | cut -d. -f1)" -ge 19 ]'
	local json
	json=$(api GET '/containers/st/stats?stream=0')
	is "$(jq -r '.memory_stats.limit, .pids_stats.current, .name' <<<"$json" | xargs)" "134217728 1 /st"
	is "$(jq '(.cpu_stats.cpu_usage.total_usage - .precpu_stats.cpu_usage.total_usage) as $c | (.cpu_stats.system_cpu_usage - .precpu_stats.system_cpu_usage) as $s
		| ($c / $s * .cpu_stats.online_cpus) | . > 0.01 and . < 0.65' <<<"$json")" true "CPU share of $(jq -c '[.cpu_stats, .precpu_stats]' <<<"$json")"
	is "$(jq '.memory_stats.usage - (.memory_stats.stats | .total_inactive_file // .inactive_file) > 19000000' <<<"$json")" true "memory"
	is "$(jq '.networks.eth0 | has("rx_bytes") and has("tx_dropped")' <<<"$json")" true "networks"
	docker exec st sh -c 'dd if=/dev/zero of=/f bs=1M count=4 2>/dev/null; sync /f'
	is "$(api GET '/containers/st/stats?stream=0&one-shot=1' | jq '.precpu_stats.cpu_usage.total_usage, ([.blkio_stats.io_service_bytes_recursive[].op] | unique | length <= 2)' | xargs)" "0 true"
	is "$(timeout 10 sh -c 'docker stats --format "{{.Name}}" st | head -n 3 | tr -cd "a-z\n" | sort -u | xargs')" st "live"
	docker rm -f st >/dev/null
}

test_top_and_its_columns() {
	docker run -d --name tp busybox sleep 1234 >/dev/null
	has "$(docker top tp)" "sleep 1234"
	has "$(docker top tp aux | head -1)" "%CPU"
	is "$(docker top tp -o pid,comm | awk 'END {print NF, $2}')" "2 sleep"
	refused "not supported" docker top tp --forest
	docker rm -f tp >/dev/null
	refused "No such container" docker top tp
}

# docker-api.md: a kill that is to end a paused container lets it go on, another signal waits.
test_paused_containers() {
	docker run -d --name pz busybox sh -c 'trap "echo got" USR1; trap "exit 3" TERM; echo up; while :; do sleep 0.05; done' >/dev/null
	wait_for 20 sh -c 'docker logs pz | grep -q up'
	docker pause pz >/dev/null
	refused "is already paused" docker pause pz
	refused "paused" docker exec pz true
	has "$(docker top pz)" "sh -c"
	docker kill -s USR1 pz >/dev/null
	wait_for 20 sh -c 'docker logs pz | grep -q got'
	wait_for 20 sh -c '[ "$(docker inspect -f "{{.State.Status}}" pz)" = running ]'
	refused "is not paused" docker unpause pz
	docker pause pz >/dev/null
	docker stop -t 5 pz >/dev/null
	is "$(inspect pz '{{.State.Status}} {{.State.ExitCode}}')" "exited 3"
	refused "is not running" docker pause pz
	docker start pz >/dev/null
	docker pause pz >/dev/null
	docker kill pz >/dev/null
	wait_for 20 sh -c '[ "$(docker inspect -f "{{.State.Status}} {{.State.ExitCode}}" pz)" = "exited 137" ]'
	docker rm pz >/dev/null
	docker run -d --name pz --stop-signal TERM busybox sh -c 'trap "echo got" USR1; echo up; while :; do sleep 0.05; done' >/dev/null
	wait_for 20 sh -c 'docker logs pz | grep -q up'
	docker pause pz >/dev/null
	docker kill -s USR1 pz >/dev/null
	is "$(inspect pz '{{.State.Status}}')" paused "another signal waits"
	docker rm -f pz >/dev/null
}

# The shim's death is the container's: nothing of it may run on without anybody who knows.
test_a_killed_shim_takes_its_container_along() {
	docker run -d --name orphan busybox sleep 4321 >/dev/null
	local pid shim
	pid=$(inspect orphan '{{.State.Pid}}')
	shim=$(awk '/^PPid:/ {print $2}' "/proc/$pid/status")
	kill -9 "$shim"
	wait_for 20 sh -c '[ "$(docker inspect -f "{{.State.Status}} {{.State.ExitCode}}" orphan)" = "exited 137" ]'
	wait_for 20 not_alive "$pid"
	exits 0 docker start orphan
	docker rm -f orphan >/dev/null
}
