# Health checks, and what is known of running containers: stats, top, pause.

health() { inspect "$1" '{{.State.Health.Status}}'; }
health_is() { [ "$(health "$1")" = "$2" ]; }

test_a_health_check_follows_the_container() {
	docker events --filter container=well --filter event=health_status --format '{{.Action}}' >"$TMP/events" &
	local events=$!
	sleep 0.2
	docker run -d --name well --health-cmd 'test -e /ok && echo fine || { echo bad; exit 3; }' --health-interval 100ms --health-retries 2 \
		busybox sleep 100 >/dev/null
	has "$(docker ps --filter name=well --format '{{.Status}}')" "(health: starting)"
	wait_for 5 health_is well unhealthy
	has "$(docker ps --filter health=unhealthy --format '{{.Names}} {{.Status}}')" "(unhealthy)"
	is "$(inspect well '{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}')" "3 bad"
	docker exec well touch /ok
	wait_for 5 health_is well healthy
	has "$(docker ps --filter health=healthy --format '{{.Names}} {{.Status}}')" "well Up"
	has "$(docker ps --format '{{.Status}}')" "(healthy)"
	sleep 0.6
	is "$(inspect well '{{.State.Health.FailingStreak}} {{len .State.Health.Log}}')" "0 5"
	# It goes on over the end of every role, and says what changed meanwhile.
	kill -9 "$(role_pid node)" "$(role_pid api)" "$(role_pid state)"
	wait_for 10 docker exec well rm /ok
	wait_for 10 health_is well unhealthy
	wait_for 5 grep -q unhealthy <(docker ps --filter health=unhealthy --format '{{.Status}}')
	docker stop -t 0 well >/dev/null
	is "$(inspect well '{{.State.Health.Status}} {{len .State.Health.Log}}')" "unhealthy 5"
	docker start well >/dev/null
	is "$(health well)" starting
	docker rm -f well >/dev/null
	kill $events 2>/dev/null || true
	has "$(xargs <"$TMP/events")" "health_status: unhealthy health_status: healthy"
}

test_probes_are_ended_and_cut() {
	docker run -d --name slow --health-cmd 'echo begun; sleep 100' --health-timeout 200ms --health-interval 100ms --health-retries 1 busybox sleep 100 >/dev/null
	wait_for 5 health_is slow unhealthy
	is "$(inspect slow '{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}')" "-1 Health check exceeded timeout (200ms): begun"
	docker rm -f slow >/dev/null
	docker run -d --name loud --health-cmd 'seq 10000' --health-interval 100ms busybox sleep 100 >/dev/null
	wait_for 5 health_is loud healthy
	is "$(inspect loud '{{with index .State.Health.Log 0}}{{len .Output}}{{end}}')" 4099
	docker rm -f loud >/dev/null
	api POST '/containers/create?name=none' -d '{"Image":"busybox","Cmd":["sleep","100"],"Healthcheck":{"Test":["CMD","/nosuch"],"Interval":100000000,"Retries":1}}' >/dev/null
	docker start none >/dev/null
	wait_for 5 health_is none unhealthy
	has "$(inspect none '{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}')" "-1 OCI runtime exec failed: exec: \"/nosuch\": stat /nosuch: no such file or directory"
	docker rm -f none >/dev/null
}

test_health_checks_of_images_and_bad_ones() {
	docker import -c 'HEALTHCHECK --interval=100ms CMD true' -c 'CMD ["sleep","100"]' "$E2E/busybox.tar" checked >/dev/null
	docker run -d --name img checked sleep 100 >/dev/null
	wait_for 5 health_is img healthy
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
	wait_for 5 health_is still healthy
	docker pause still >/dev/null
	has "$(docker ps --format '{{.Status}}')" "(Paused)"
	refused "is paused" docker exec still true
	local log
	log=$(inspect still '{{json .State.Health.Log}}')
	sleep 0.5
	is "$(inspect still '{{json .State.Health.Log}}')" "$log" "results while paused"
	docker unpause still >/dev/null
	wait_for 5 sh -c '[ "$(docker inspect -f "{{json .State.Health.Log}}" still)" != "$0" ]' "$log"
	docker rm -f still >/dev/null
}
