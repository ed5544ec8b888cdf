# Disk quotas, and what a greedy container may not do to its neighbours.

need_quotas() {
	docker info -f '{{json .DriverStatus}}' | grep -q '"Disk quotas","project"' || skip "the data directory's file system has no project quotas"
}

test_status_and_info_say_whether_quotas_are_on() {
	local status
	status=$("$TRITON" status --run-dir "$RUN")
	has "$status" 'disk quotas'
	if [ "$("$TRITON" status --json --run-dir "$RUN" | jq '.nodes[0].quotas')" = true ]; then
		has "$(docker info -f '{{json .DriverStatus}}')" '"Disk quotas","project"'
		has_not "$(docker info -f '{{json .Warnings}}')" 'No disk quotas'
	else
		has "$status" 'no disk quotas'
		has "$(docker info -f '{{json .Warnings}}')" 'No disk quotas'
		grep -q 'no disk quotas: the disk of a package is not held' "$LOG"
		refused 'supported only where the data directory lies on' docker create --storage-opt size=1g busybox
	fi
}

test_storage_options_are_checked() {
	refused 'unknown option color' docker create --storage-opt color=red busybox
	refused "invalid size: 'much'" docker create --storage-opt size=much busybox
	refused 'at least 1m' docker create --storage-opt size=100 busybox
}

test_a_container_fills_its_own_disk_only() {
	need_quotas
	docker run -d --name full --storage-opt size=20m busybox sleep 1000
	docker run -d --name neighbour busybox sleep 1000
	exits 1 docker exec full dd if=/dev/zero of=/fill bs=1M count=40
	case $out in *'No space left'* | *'uota exceeded'*) ;; *) fail "dd said: $out" ;; esac
	exits 1 docker exec full sh -c 'echo more >/more && dd if=/dev/zero of=/more bs=1M count=1'
	docker exec neighbour sh -c 'dd if=/dev/zero of=/fine bs=1M count=4 2>/dev/null && rm /fine'
	docker exec full rm /fill                       # there is room again
	docker exec full dd if=/dev/zero of=/fill bs=1M count=8
	docker restart -t 0 full                        # and it is the same disk afterwards
	exits 1 docker exec full dd if=/dev/zero of=/again bs=1M count=20
	docker rm -f full neighbour
}

test_files_are_counted_as_well() { # 16 MiB have room for 1024 files
	need_quotas
	exits 1 docker run --rm --storage-opt size=16m busybox sh -c 'mkdir /d && i=0; while [ $i -lt 1200 ]; do : >/d/$i || exit 1; i=$((i+1)); done'
	case $out in *'No space left'* | *'uota exceeded'*) ;; *) fail "it said: $out" ;; esac
}

test_a_volume_holds_what_its_container_may() {
	need_quotas
	docker volume create data >/dev/null
	exits 1 docker run --rm --storage-opt size=10m -v data:/data busybox dd if=/dev/zero of=/data/fill bs=1M count=20
	docker run --rm --storage-opt size=30m -v data:/data busybox dd if=/dev/zero of=/data/fill bs=1M count=20
	exits 1 docker run --rm --storage-opt size=10m -v data:/data busybox dd if=/dev/zero of=/data/more bs=1M count=20
	docker volume rm data
}

# While the greedy one does its worst, a neighbour's write and the API answer within a second.
b33_neighbour() {
	local begin took limit=$((1000 * ${E2E_SLOW:-1}))
	for i in 1 2 3; do
		begin=$(date +%s%N)
		[ "$(api_status GET /containers/json)" = 200 ] || fail "the API does not answer"
		took=$((($(date +%s%N) - begin) / 1000000))
		[ $took -lt $limit ] || fail "the API took $took ms"
		begin=$(date +%s%N)
		docker exec neighbour sh -c 'echo fine >/file && sync /file && cat /file' >"$TMP/fine"
		took=$((($(date +%s%N) - begin) / 1000000))
		is "$(cat "$TMP/fine")" fine
		[ $took -lt $limit ] || fail "the neighbour's write took $took ms"
	done
}

# limit test_b33_what_a_container_exhausts_is_its_own 60
test_b33_what_a_container_exhausts_is_its_own() {
	docker run -d --name neighbour busybox sleep 1000
	docker run -d --name greedy --log-opt max-size=1m busybox sh -c 'while :; do echo flood flood flood flood flood flood; done'
	b33_neighbour
	docker rm -f greedy
	docker run -d --name greedy busybox sh -c 'n=10; while :; do eval "exec $n</etc/passwd" || break; n=$((n+1)); done; sleep 1000'
	b33_neighbour
	docker rm -f greedy
	if "$TRITON" status --json --run-dir "$RUN" | jq -e '.nodes[0].quotas' >/dev/null; then
		docker run -d --name greedy --storage-opt size=40m busybox sh -c 'while :; do dd if=/dev/zero of=/fill bs=64k; rm /fill; done'
		b33_neighbour
		docker rm -f greedy
		docker run -d --name greedy --storage-opt size=40m busybox sh -c 'while :; do i=0; while : >/f$i; do i=$((i+1)); done; rm -f /f*; done'
		b33_neighbour
		docker rm -f greedy
	fi
	docker rm -f neighbour
}

# limit test_b33_ten_thousand_sockets 60
test_b33_ten_thousand_sockets() {
	need_debian
	docker run -d --name neighbour busybox sleep 1000
	docker run -d --name greedy --ulimit nofile=20000 debian perl -e \
		'for (1..10000) { socket($s[$_], 2, 2, 0) or last } print "made ", scalar(@s) - 1, "\n"; $| = 1; print ""; sleep 1000'
	wait_for 20 sh -c 'docker logs greedy | grep -q made'
	b33_neighbour
	docker rm -f greedy neighbour
}

test_a_container_does_not_leave_its_quota() {
	need_quotas
	need_debian
	# FS_IOC_FSGETXATTR and FS_IOC_FSSETXATTR: project 0, no inheritance
	exits 1 docker run --rm debian perl -e 'open(F, ">/file"); $x = "\0" x 28; ioctl(F, 0x801c581f, $x) or die "read: $!";
		@v = unpack("L5", $x); $v[3] or die "it has no project"; $v[3] = 0; ioctl(F, 0x401c5820, pack("L5x8", @v)) or exit 1'
	is "$out" ''
}
