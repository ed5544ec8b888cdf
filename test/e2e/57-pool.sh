# Zygotes: always a few, never more, and nothing of a dead one stays.

zygotes() {
	local p
	for p in $(instance_processes); do [ "$(cat "/proc/$p/comm" 2>/dev/null)" != triton-zygote ] || echo "$p"; done
}
# With control groups of version 1 each has one for its container.
spare_groups() { find /sys/fs/cgroup/memory -maxdepth 2 -type d -path "*$NAME/spare-*" -printf '%f\n' | sed 's/spare-//' | sort; }
pool_is_full() { [ "$(zygotes | wc -l)" = 3 ] && { [ -e /sys/fs/cgroup/cgroup.controllers ] || [ "$(zygotes | sort)" = "$(spare_groups)" ]; }; }
need_pool() { wait_for 10 pool_is_full; }

test_zygotes_become_containers_and_are_replaced() {
	need_pool
	local before
	before=$(zygotes)
	is "$(run echo one)" one
	for i in 1 2 3 4 5; do docker run -d --name pool$i busybox sleep 1000 >/dev/null; done
	wait_for 10 pool_is_full
	[ "$(zygotes)" != "$before" ] || fail "no zygote was used by six starts"
	# Limits are those of the container, from its first instruction.
	is "$(docker run --rm -m 128m --network none busybox sh -c 'cd /sys/fs/cgroup; cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes')" 134217728
	docker rm -f pool1 pool2 pool3 pool4 pool5 >/dev/null
	wait_for 10 pool_is_full
}

test_starts_go_on_when_zygotes_are_killed() {
	need_pool
	kill -KILL $(zygotes)
	is "$(run echo there)" there
	wait_for 10 pool_is_full
}

nursery() { for p in $(instance_processes); do [ "$(cat "/proc/$p/comm" 2>/dev/null)" != triton-nursery ] || echo "$p"; done; }

# More at once than zygotes are at hand: what a fork of the node role itself would leave is more than twice as large.
test_starts_at_once_all_come_from_the_nursery() {
	need_pool
	local born i
	born=$(nursery)
	for i in $(seq 12); do docker create --name pool$i busybox sleep 1000 >/dev/null; done
	for i in $(seq 12); do api POST "/containers/pool$i/start" & done
	wait
	for i in $(seq 12); do is "$(parent_of "$(shim_of pool$i)")" "$born" "pool$i"; done
	docker rm -f pool1 pool2 pool3 pool4 pool5 pool6 pool7 pool8 pool9 pool10 pool11 pool12 >/dev/null
	wait_for 10 pool_is_full
}

# The process that forks them: another takes its place.
test_starts_go_on_when_the_nursery_is_killed() {
	need_pool
	local before
	before=$(nursery)
	docker run -d --name pool1 busybox sleep 1000 >/dev/null
	kill -KILL "$before"
	for i in 1 2 3 4; do is "$(run echo "run $i")" "run $i"; done
	is "$(docker exec pool1 echo lives)" lives
	wait_for 10 pool_is_full
	wait_for 10 not_alive "$before"
	[[ $(nursery) =~ ^[0-9]+$ ]] || fail "nurseries: $(nursery)"
	docker rm -f pool1 >/dev/null
}

test_zygotes_end_with_the_node() {
	need_pool
	local before
	before=$(zygotes)
	kill -KILL "$(role_pid node)"
	for p in $before; do wait_for 10 not_alive "$p"; done
	wait_for 10 pool_is_full
	is "$(run echo again)" again
}
