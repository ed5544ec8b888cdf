# What containers used: records of this node, totals of the accounts. A minute is not waited for: SIGUSR1 to the node role writes the
# records of now, as its end would.

usage_lines() { # of a container, of all hours
	find "$DATA/usage" -name '*.log' -exec cat {} + -o -name '*.log.gz' -exec zcat {} + | jq -c "select(.id == \"$1\" and .v == 1)"
}

usage_sum() { usage_lines "$1" | jq -s "map($2) | add // 0"; }  # ID EXPRESSION

tell_node() { # to write records; one that is just starting does not, so ask again
	local pid
	pid=$(role_pid node)
	[ "${pid:-0}" = 0 ] || kill -USR1 "$pid" 2>/dev/null || true
}

written_since() { # what `last` says has a newer time than the file $1
	tell_node
	sleep 0.05
	[ "$DATA/usage/last" -nt "$1" ]
}

records() { # write them now, and wait until they are: a child that was at it already does not count
	local i
	for i in 1 2; do
		touch "$TMP/before"
		sleep 0.02
		wait_for 20 written_since "$TMP/before"
	done
}

node_is_another() { case $(role_pid node) in 0 | "$1") return 1 ;; esac; }

total() { "$TRITON" usage --run-dir "$RUN" --account "$1" --last 24h --json | jq "[.totals[].$2] | add // 0"; }

counted() { # ACCOUNT FIELD AT-LEAST: asks for records until the state has counted it
	tell_node
	[ "$(total "$1" "$2")" -ge "$3" ]
}

test_a_container_has_a_record_with_all_that_it_used() {
	local id line
	id=$(docker run -d --name used -m 128m busybox sh -c 'httpd -h /bin; i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; exec sleep 600')
	docker run --rm --link used busybox sh -c 'until wget -qO /dev/null http://used/busybox; do sleep 0.1; done'
	records
	line=$(usage_lines "$id" | tail -1)
	has "$line" '"v":1,"from":"'
	is "$(jq -r '[.name, .account, .package, .image, .status] | join(" ")' <<<"$line")" "used me t4-standard-128M busybox running"
	is "$(jq .memory.limit <<<"$line")" $((128 << 20))
	is "$(jq '.memory.used > 0 and .memory.used < .memory.limit' <<<"$line")" true "$line"
	is "$(usage_sum "$id" .running_ms | awk '{ print ($1 > 0) }')" 1
	is "$(usage_sum "$id" .cpu_ns | awk '{ print ($1 > 1000000) }')" 1 "processor time"
	is "$(usage_sum "$id" '.network[0].sent' | awk '{ print ($1 > 500000) }')" 1 "bytes sent"
	is "$(jq -r '.network[0] | .name, (.sent_total >= .sent), (.counter_start != null)' <<<"$line" | tr '\n' ' ')" "eth0 true true "
	is "$(jq -r '.network[0].counter_start == .started' <<<"$line")" true
	docker rm -f used >/dev/null
}

test_one_that_ends_between_two_records_is_in_one() {
	local id
	records
	docker run --name short busybox sh -c 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; exit 3' || true
	id=$(inspect short '{{.Id}}')
	docker start short >/dev/null                     # a second run
	docker wait short >/dev/null
	docker rm short >/dev/null
	records
	is "$(usage_sum "$id" .runs)" 2 runs
	is "$(usage_lines "$id" | tail -1 | jq -r .status)" removed
	is "$(usage_sum "$id" .cpu_ns | awk '{ print ($1 > 1000000) }')" 1 "processor time"
	records
	is "$(usage_sum "$id" .runs)" 2 "runs, after more records"
}

test_one_that_only_was_there_has_a_record_too() {
	local id
	id=$(docker create --name idle busybox true)
	records
	is "$(usage_lines "$id" | tail -1 | jq -c '[.status, .running_ms, .runs, .cpu_ns]')" '["created",0,0,0]'
	docker rm idle >/dev/null
}

test_nothing_is_lost_or_counted_twice_when_the_node_role_is_killed() {
	local id i pid seconds
	id=$(docker run -d --name meant busybox sleep 600)
	for i in 1 2 3 4 5 6; do
		pid=$(role_pid node)
		kill -USR1 "$pid"
		[ $i -gt 3 ] || sleep 0.0$i
		kill -KILL "$pid"
		wait_for 10 node_is_another "$pid"
		wait_for 10 docker exec meant true
	done
	docker kill meant >/dev/null
	pid=$(role_pid node)
	kill -KILL "$pid"
	wait_for 10 node_is_another "$pid"
	docker wait meant >/dev/null
	seconds=$(inspect meant '{{.State.StartedAt}} {{.State.FinishedAt}}' | xargs -n1 date +%s%3N -d | awk 'NR == 1 { a = $1 } END { print $1 - a }')
	records
	is "$(usage_sum "$id" .running_ms | awk -v s="$seconds" '{ print ($1 > s - 50 && $1 <= s + 50) }')" 1 \
		"it ran $seconds ms, the records say $(usage_sum "$id" .running_ms): $(usage_lines "$id" | jq -c '[.from, .to, .running_ms, .status]' | tr '\n' ' ')"
	docker rm meant >/dev/null
}

test_half_a_record_at_the_end_is_mended() {
	local file
	records
	file=$(ls "$DATA"/usage/*.log | tail -1)
	printf '{"v":1,"half' >>"$file"
	records
	[ -e "$file" ] || file=$file.gz                   # an hour has just ended
	zcat -f "$file" | jq -c .v >/dev/null || fail "$(zcat -f "$file" | tail -2)"
}

# The bytes of a network namespace are its owner's, once; who only joined it has none.
test_bytes_of_a_joined_network_are_counted_once() {
	local owner guest
	owner=$(docker run -d --name owner busybox sh -c 'httpd -h /bin; exec sleep 600')
	guest=$(docker run -d --name guest --network container:owner busybox sleep 600)
	docker run --rm --link owner busybox sh -c 'until wget -qO /dev/null http://owner/busybox; do sleep 0.1; done'
	records
	is "$(usage_sum "$owner" '.network[0].sent' | awk '{ print ($1 > 500000) }')" 1 "bytes of the owner"
	is "$(usage_lines "$guest" | jq -c .network | sort -u)" null "bytes of the guest while it runs"
	docker rm -f guest >/dev/null
	records
	is "$(usage_lines "$guest" | jq -c .network | sort -u)" null "bytes of the guest when it has ended"
	is "$(usage_lines "$guest" | tail -1 | jq -r .status)" removed
	docker rm -f owner >/dev/null
}

# What the lines of a run add up to is what its counters said at the end, whoever was killed between.
test_bytes_are_counted_once_when_the_node_role_is_killed() {
	local id i pid
	id=$(docker run -d --name fetched busybox sh -c 'httpd -h /bin; exec sleep 600')
	for i in 1 2 3; do
		docker run --rm --link fetched busybox sh -c 'until wget -qO /dev/null http://fetched/busybox; do sleep 0.1; done'
		records
		pid=$(role_pid node)
		kill -KILL "$pid"
		wait_for 10 node_is_another "$pid"
		wait_for 10 docker exec fetched true
	done
	docker rm -f fetched >/dev/null
	records
	is "$(usage_lines "$id" | jq -sc '(map(.network[0].sent // 0) | add) == (map(.network[0].sent_total // 0) | max)')" true \
		"$(usage_lines "$id" | jq -c '[.from, .to, .network[0].sent, .network[0].sent_total]' | tr '\n' ' ')"
	is "$(usage_sum "$id" '.network[0].sent // 0' | awk '{ print ($1 > 1500000) }')" 1 "bytes sent"
}

test_hours_that_are_over_are_compressed_and_removed_after_their_days() {
	local dir=$DATA/usage over gone kept
	over=$(date -u -d '-1 day' +%FT%H) kept=$(date -u -d '-29 days' +%FT%H) gone=$(date -u -d '-31 days' +%FT%H)
	seq 1000 >"$TMP/lines"
	cp "$TMP/lines" "$dir/$over.log"
	echo half >"$dir/$over.log.gz.new"                # of one that was killed
	gzip -c "$TMP/lines" | tee "$dir/$kept.log.gz" >"$dir/$gone.log.gz"
	cp "$TMP/lines" "$dir/$gone-1.log"                # of a clock that was set back
	left() { find "$dir" -name "$over*" -o -name "$kept*" -o -name "$gone*" | sed 's|.*/||' | sort | xargs; }
	left_is() { tell_node; [ "$(left)" = "$*" ]; }
	wait_for 20 left_is "$kept.log.gz" "$over.log.gz"
	is "$(stat -c %a "$dir/$over.log.gz")" 600
	is "$(zcat "$dir/$over.log.gz" | cmp - "$TMP/lines" && echo same)" same
	trap 'trap - ERR; serve_stop; serve_start; rm -rf "$TMP"' EXIT
	serve_stop
	serve_start --usage-days 2
	wait_for 20 left_is "$over.log.gz"
	rm "$dir/$over.log.gz"
}

test_totals_of_an_account_are_counted_once() {
	local before after id
	records
	before=$(total other container_seconds)
	as other docker run -d --name billed busybox sleep 600 >/dev/null
	sleep 1.2
	id=$(as other docker inspect -f '{{.Id}}' billed)
	as other docker rm -f billed >/dev/null
	wait_for 20 counted other container_seconds $((before + 1))
	records
	records
	after=$(total other container_seconds)
	[ $((after - before)) -le $(($(usage_sum "$id" .running_ms) / 1000 + 2)) ] || fail "before $before, after $after: $(usage_lines "$id")"
}

test_the_tool_shows_totals_and_says_what_is_wrong() {
	docker run --rm busybox true
	wait_for 20 counted me container_seconds 0
	has "$("$TRITON" usage --run-dir "$RUN")" "ACCOUNT"
	has "$("$TRITON" usage --run-dir "$RUN" --last 24h)" "MEMORY GIB HOURS"
	has "$("$TRITON" usage --run-dir "$RUN" --csv | head -1)" "account,package,container_seconds,"
	is "$("$TRITON" usage --run-dir "$RUN" --from 2020-01-01 --to 2020-02-01 --json | jq .totals)" "[]"
	refused "a span like" "$TRITON" usage --run-dir "$RUN" --last tomorrow
	refused "a time like" "$TRITON" usage --run-dir "$RUN" --from yesterday
	refused "does not go with" "$TRITON" usage --run-dir "$RUN" --last 24h --to 2026-01-01
	refused "one word too many" "$TRITON" usage --run-dir "$RUN" me
}
