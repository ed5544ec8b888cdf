# docker-compose 1.29.2: every command of its, with files of formats 2 and 3.

compose_begin() { # PROJECT: in a directory of that name
	command -v docker-compose >/dev/null || skip "there is no docker-compose (packaging/deps test installs it)"
	unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
	export COMPOSE_INTERACTIVE_NO_CLI=1 PYTHONDONTWRITEBYTECODE=1
	mkdir -p "$TMP/$1" && cd "$TMP/$1"
}

compose() { timeout 60 docker-compose --no-ansi "$@" 2>"$TMP/compose.err" || { echo "docker-compose $*:"; cat "$TMP/compose.err"; return 1; } >&2; }

# One-off containers say something after a second and live one more: the client attaches and sets the size when it has started them.
compose_run() { compose run --rm -T "$@" | tr -d '\r'; }

# Logged in to the registry, if there is one; how it is called.
registry_of() {
	[ ! -e "$E2E/registry.missing" ] || return 0
	mkdir -p "$TMP/config"
	printf '{"auths":{"%s":{"auth":"%s"}}}' "$REGISTRY" "$(printf pusher:secret | base64 -w0)" >"$TMP/config/config.json"
	echo "$REGISTRY"
}

# limit test_every_option_of_every_compose_command 150
test_every_option_of_every_compose_command() {
	local registry
	compose_begin opts
	registry=$(registry_of)
	DOCKER_CONFIG=$TMP/config /usr/bin/python3 "$ROOT/test/e2e/sdk/compose-cli.py" "$registry"
}

# limit test_every_key_of_a_service_in_a_compose_file 90
test_every_key_of_a_service_in_a_compose_file() {
	compose_begin keys
	/usr/bin/python3 "$ROOT/test/e2e/sdk/compose-keys.py"
	as boss docker image inspect busybox >/dev/null 2>&1 || busybox_tar | as boss docker import - busybox >/dev/null
	as boss /usr/bin/python3 "$ROOT/test/e2e/sdk/compose-keys.py" operator
}

# Of 1.29.2's commands; `help` is the client's alone.
test_every_compose_command_has_a_test() {
	compose_begin list
	local command missing="" n=0
	cat "$ROOT"/test/e2e/*.sh | grep -v '^ *#' >"$TMP/tests"
	for command in $(docker-compose --help 2>/dev/null | sed -n '/^Commands:/,$s/^  \([a-z]*\) .*/\1/p'); do
		n=$((n + 1))
		[ "$command" = help ] || grep -qE "compose (--[a-z-]+ [a-z]+ )?$command\b" "$TMP/tests" || missing="$missing $command"
	done
	[ "$n" -ge 25 ] || fail "only $n commands were found"
	[ -z "$missing" ] || fail "no test for:$missing"
}

# limit test_a_compose_project_from_create_to_down 240
test_a_compose_project_from_create_to_down() {
	compose_begin life
	cat >docker-compose.yml <<-'END'
		version: "3.7"
		services:
		  web:
		    image: busybox
		    command: sh -c 'echo serving; exec httpd -f -p 80'
		    ports: [ "80" ]
		    stop_grace_period: 0s
		    volumes: [ "data:/data" ]
		    env_file: [ web.env ]
		    environment: { TWO: "$$two", THREE: "${THREE:-three}" }
		    labels: { part: web }
		  job:
		    image: busybox
		    command: sleep 1000
		    stop_grace_period: 0s
		    depends_on: [ web ]
		volumes: { data: {} }
	END
	echo ONE=one >web.env
	has "$(compose config --services | sort | xargs)" "job web"
	compose up --no-start
	is "$(docker ps -a --filter label=com.docker.compose.project=life --format '{{.Names}} {{.State}}' | sort | xargs)" "life_job_1 created life_web_1 created"
	compose rm -f
	compose create
	is "$(docker ps -aq --filter label=com.docker.compose.project=life | wc -l)" 2
	compose up -d
	is "$(docker ps --filter label=com.docker.compose.project=life -q | wc -l)" 2
	has "$(compose ps)" "Up"
	has "$(compose logs web)" "serving"
	is "$(compose exec -T web sh -c 'echo $ONE $TWO $THREE')" 'one $two three'
	is "$(compose_run --no-deps job sh -c "sleep 1; echo ran; sleep 1")" ran
	is "$(compose port web 80)" "$(docker port life_web_1 80 | head -1)"
	has "$(compose top job)" "sleep 1000"
	has "$(compose images)" busybox
	compose exec -T web sh -c 'echo kept >/data/x'
	compose pause job
	is "$(docker inspect -f '{{.State.Status}}' life_job_1)" paused
	compose unpause job
	compose up -d --scale job=3
	is "$(docker ps -q --filter label=com.docker.compose.service=job | wc -l)" 3
	compose scale job=1 2>/dev/null
	is "$(docker ps -q --filter label=com.docker.compose.service=job | wc -l)" 1
	compose restart web
	compose kill job
	is "$(docker inspect -f '{{.State.Status}}' life_job_1)" exited
	compose start job
	compose stop job
	compose rm -f job
	is "$(docker ps -aq --filter label=com.docker.compose.service=job | wc -l)" 0
	sed -i 's/part: web/part: other/' docker-compose.yml
	compose up -d web
	is "$(docker inspect -f '{{.Config.Labels.part}}' life_web_1)" other
	is "$(compose exec -T web cat /data/x)" kept
	compose down
	is "$(docker ps -aq --filter label=com.docker.compose.project=life | wc -l)" 0
	is "$(docker volume ls -q --filter name=life_data)" life_data
	compose down -v
	is "$(docker volume ls -q --filter name=life_data)" ""
	has "$(compose version)" 1.29
}

# limit test_compose_waits_for_health_extends_and_profiles 90
test_compose_waits_for_health_extends_and_profiles() {
	compose_begin more
	cat >base.yml <<-'END'
		version: "2.4"
		services:
		  base: { image: busybox, command: sleep 1000, stop_grace_period: 0s, environment: { FROM: base } }
	END
	cat >docker-compose.yml <<-'END'
		version: "2.4"
		services:
		  db:
		    extends: { file: base.yml, service: base }
		    mem_limit: 64m
		    healthcheck: { test: [ CMD, "true" ], interval: 200ms, retries: 3 }
		  app:
		    extends: { file: base.yml, service: base }
		    depends_on: { db: { condition: service_healthy } }
		  tool:
		    extends: { file: base.yml, service: base }
		    profiles: [ debug ]
	END
	compose up -d
	is "$(docker inspect -f '{{.State.Health.Status}}' more_db_1)" healthy
	is "$(docker exec more_app_1 sh -c 'echo $FROM')" base
	is "$(docker ps -q --filter name=more_tool | wc -l)" 0
	compose --profile debug up -d
	is "$(docker ps -q --filter name=more_tool | wc -l)" 1
	env timeout $((20 * ${E2E_SLOW:-1})) docker-compose events --json >"$TMP/events" 2>/dev/null &      # of this number, to be ended
	wait_for 10 eval 'docker restart -t 0 more_app_1 >/dev/null; grep -q "\"action\": \"start\"" "$TMP/events"'
	kill $!
	compose --profile debug down
}

# limit test_compose_builds_pulls_and_pushes 90
test_compose_builds_pulls_and_pushes() {
	compose_begin imgs
	need_registry
	registry_of >/dev/null
	export DOCKER_CONFIG=$TMP/config
	python3 "$ROOT/test/e2e/images.py" push "https://$REGISTRY" "$E2E/registry/ca.crt" pusher:secret "$E2E/busybox.tar" docker test/composed:1 >/dev/null
	cat >docker-compose.yml <<-END
		version: "3"
		services:
		  made: { build: { context: ., args: { A: b } }, image: "$REGISTRY/test/made:1" }
		  got: { image: "$REGISTRY/test/composed:1", command: sh -c "sleep 1; echo got; sleep 1" }
	END
	printf 'FROM busybox\nARG A\nRUN echo $A >/a\nCMD sleep 1; cat /a; sleep 1\n' >Dockerfile
	compose build
	is "$(compose_run made)" b
	compose push made
	compose pull got
	is "$(compose_run got)" got
	compose down
	docker rmi "$REGISTRY/test/made:1" "$REGISTRY/test/composed:1" >/dev/null
}
