# Hostile archives through every door that takes one: import, load, and PUT archive (docker cp). I and A as in the
# reliability list. What counts: nothing of the machine changes, no 5xx that names host paths, nothing half made.

hostile() { python3 test/e2e/tars.py "$1"; }

clean() { # nothing came out, nothing stayed
	[ ! -e /e2e-escaped ] && [ ! -e "$E2E/e2e-escaped" ] && [ ! -e "$DATA/e2e-escaped" ] || fail "a file came out"
	is "$(ls "$DATA/staging" | wc -l)" 0 "entries in staging"
	is "$(find_data -name e2e-escaped -not -path '*/fs/layers/*' -not -path '*/fs/containers/*')" ""
}

# import: may be refused or inert; a refusal is a sentence without host paths
try_import() {
	local got=0
	hostile "$1" >"$TMP/t.tar"
	out=$(timeout 30 docker import "$TMP/t.tar" hostile:x 2>&1) || got=$?
	has_not "$out" "$DATA"
	clean
	[ $got = 0 ] && docker rmi hostile:x >/dev/null
	return 0
}

must_refuse() { # NAME
	hostile "$1" >"$TMP/t.tar"
	refused "" timeout 30 docker import "$TMP/t.tar" hostile:x
	has_not "$out" "$DATA"
	clean
	refused "No such image" docker image inspect hostile:x
}

test_i01_names_with_dots_and_slashes() { try_import dotdot; try_import absolute; }
test_i02_a_file_below_a_symlink_out() { try_import symlink-out; }
test_i03_hard_links_to_the_outside() { try_import hardlink-out; try_import hardlink-through-symlink; }
test_i04_a_folder_replaced_by_a_symlink() { try_import dir-to-symlink; }
test_i05_a_symlink_and_a_file_of_one_name() { try_import symlink-then-file; }
test_i06_devices() { try_import devices; }
test_i09_deep_and_long_names() { try_import deep; try_import longname; }
test_i10_odd_numbers() { try_import odd; }
test_i11_names_with_escape_codes() { try_import escapes; }
test_i12_truncated() { must_refuse truncated; }
test_i12_bad_checksum() { must_refuse checksum; }
test_i12_a_size_of_8_gigabytes_that_is_not_there() { must_refuse huge-size; }
test_i12_negative_size() { must_refuse negative; }
test_i12_random_bytes() { must_refuse random; }
test_i14_gzip_truncated() { must_refuse gzip-truncated; }
test_i14_gzip_with_wrong_crc() { must_refuse gzip-crc; }
test_names_of_64_kib() { must_refuse name-64k; }

test_i06_devices_are_never_usable() {
	hostile devices-and-busybox >"$TMP/t.tar"
	docker import -c 'ENV PATH=/bin' "$TMP/t.tar" hostile:dev >/dev/null 2>&1 || return 0       # refused is fine
	exits 1 docker run --rm hostile:dev sh -c 'head -c 1 /dev-sda'
	docker rmi hostile:dev >/dev/null
}

test_i07_setuid_files_stay_and_mean_the_containers_root() {
	docker run --name suid busybox sh -c 'cp /bin/busybox /su; chmod 4755 /su'
	docker start suid >/dev/null
	docker rm -f suid >/dev/null
	is "$(stat -c %a "$DATA/fs")" 700 "who may reach files with unshifted owners"
}

test_i08_whiteouts() {
	mkdir -p "$TMP/l"
	cp "$E2E/busybox.tar" "$TMP/l/1.tar"
	hostile whiteouts >"$TMP/l/2.tar"
	python3 test/e2e/images.py save "$TMP/l" hostile:wh >"$TMP/saved.tar"
	timeout 30 docker load -qi "$TMP/saved.tar" >"$TMP/out" 2>&1 || true
	clean
	docker rmi hostile:wh >/dev/null 2>&1 || true
	exits 0 run test -e /etc/passwd
}

# limit test_i13_bombs_are_stopped 120
test_i13_bombs_are_stopped() {
	hostile bomb | gzip -1 >"$TMP/bomb.tar.gz"                    # 2 GB of zeros in one file
	local before after
	before=$(disk_used "$DATA")
	timeout 100 docker import "$TMP/bomb.tar.gz" hostile:bomb >"$TMP/out" 2>&1 && docker rmi hostile:bomb >/dev/null
	clean
	sleep 1
	after=$(disk_used "$DATA")
	[ $((after - before)) -lt 2200000 ] || fail "$((after - before)) KiB more are used"
}

test_i16_bad_manifests_of_docker_load() {
	local kind
	for kind in config-out layer-out layer-symlink fewer-layers not-array none bad-tag no-config bad-diffid; do
		python3 test/e2e/tars.py "load-$kind" "$E2E/busybox.tar" >"$TMP/t.tar"
		refused "" timeout 30 docker load -i "$TMP/t.tar"
		has_not "$out" "$DATA"
		has_not "$out" "root:x"
		clean
	done
}

# limit test_i18_100000_entries 120
test_i18_100000_entries() {
	hostile many >"$TMP/t.tar"
	timeout 90 docker import "$TMP/t.tar" hostile:many >/dev/null
	docker rmi hostile:many >/dev/null
	gone() { [ "$(ls "$DATA/fs/trash" | wc -l)" = 0 ]; }
	wait_for 20 gone
}

test_i19_an_image_with_symlinks_where_things_are_mounted() {
	hostile mount-symlinks >"$TMP/t.tar"
	docker import -c 'ENV PATH=/b' "$TMP/t.tar" hostile:links >/dev/null
	docker run --rm -v vx:/vol -w /work hostile:links /b/busybox sh -c 'echo x >/vol/e2e-escaped; echo x >/work/e2e-escaped' >"$TMP/out" 2>&1 || true
	clean
	[ ! -e /tmp/e2e-escaped ] && [ ! -e /etc/e2e-escaped ] || fail "a file came out"
	docker rmi hostile:links >/dev/null
	docker volume rm vx >/dev/null 2>&1 || true
}

# A02: a name that is a directory and a link out of it in turn, as fast as the container can (CVE-2018-15664)
# limit test_a02_a_link_that_is_swapped_while_files_are_copied 90
test_a02_a_link_that_is_swapped_while_files_are_copied() {
	local marker=/etc/triton-e2e-swapped-$$ i
	docker run -d --name swap busybox sh -c 'mkdir -p /d/a; ln -s / /d/b; echo inside >/d/a/passwd
		while :; do mv /d/a /d/t; mv /d/b /d/a; mv /d/a /d/b; mv /d/t /d/a; done' >/dev/null
	echo mark >"$TMP/${marker##*/}"
	for i in $(seq 25); do
		docker cp "$TMP/${marker##*/}" swap:/d/a/ >/dev/null 2>&1 || true
		docker cp swap:/d/a/etc/hostname - 2>/dev/null | tar -xOf - 2>/dev/null >>"$TMP/out" || true
	done
	[ ! -e "$marker" ] && [ ! -e "/${marker##*/}" ] || fail "a file came out of the container"
	has_not "$(cat "$TMP/out" 2>/dev/null)" "$(hostname)"$'\n'
	docker rm -f swap >/dev/null
}

# A03: what works on a container's files is our static program; it loads nothing of the image's (CVE-2019-14271)
test_a03_the_images_own_libraries_are_not_loaded() {
	docker run --name libs busybox sh -c 'mkdir -p /lib /lib64 /etc /usr/lib; for f in /lib/libnss_files.so.2 /lib64/ld-linux-x86-64.so.2 /usr/lib/libc.so.6 \
		/etc/ld.so.preload; do echo "hostile" >$f; done; echo "passwd: hostile" >/etc/nsswitch.conf; echo x:x:7:7::/:/x >>/etc/passwd; echo y >/y'
	is "$(docker cp libs:/y - | tar -xOf -)" y
	echo in >"$TMP/in"
	docker cp -a "$TMP/in" libs:/in
	has "$(docker export libs | tar -tf - | grep -x -e y -e ./y)" y
	has_not "$(readelf -lW "$TRITON")" INTERP
	docker rm libs >/dev/null
}

# A07
test_a07_copies_with_a_paused_dead_or_removed_container() {
	docker run -d --name states busybox sleep 100 >/dev/null
	echo x >"$TMP/x"
	docker pause states >/dev/null
	timeout 10 docker cp "$TMP/x" states:/x
	is "$(timeout 10 docker cp states:/x - | tar -xOf -)" x
	docker unpause states >/dev/null
	docker kill states >/dev/null
	docker wait states >/dev/null
	timeout 10 docker cp "$TMP/x" states:/y
	is "$(timeout 10 docker cp states:/y - | tar -xOf -)" x
	docker cp states:/bin/busybox - >/dev/null &
	docker rm -f states >/dev/null
	wait || true
	refused "No such container" docker cp "$TMP/x" states:/z
}

# A08
test_a08_export_and_commit_of_files_that_grow() {
	docker run -d --name grows busybox sh -c 'while :; do dd if=/dev/zero bs=1M count=20 >>/grows 2>/dev/null; : >/grows; echo $$ >>/lines; done' >/dev/null
	local i
	for i in 1 2 3; do
		docker export grows >"$TMP/export.tar"
		tar -tf "$TMP/export.tar" >/dev/null || fail "the archive is broken"
	done
	docker commit grows grown >/dev/null
	docker rm -f grows >/dev/null
	docker run --rm grown test -e /lines
	docker rmi grown >/dev/null
}

test_a04_hostile_archives_into_a_container() {
	docker run -d --name into busybox sleep 100 >/dev/null
	local kind code
	for kind in dotdot absolute symlink-out hardlink-out hardlink-through-symlink dir-to-symlink symlink-then-file devices deep longname odd \
		escapes truncated checksum huge-size negative random name-64k; do
		hostile $kind >"$TMP/t.tar"
		code=$(api_status PUT "/containers/into/archive?path=/tmp" -H 'Content-Type: application/x-tar' --data-binary "@$TMP/t.tar")
		case $code in
		200 | 400 | 403 | 409 | 413) ;;
		*) fail "$kind: status $code: $(head -c 300 "$TMP/body")" ;;
		esac
		has_not "$(cat "$TMP/body")" "$DATA"
		clean
		is "$(docker exec into sh -c 'echo alive')" alive
	done
	docker rm -f into >/dev/null
}

test_a05_reading_endless_files() {
	docker run -d --name endless busybox sh -c 'mkfifo /tmp/fifo; sleep 100' >/dev/null
	sleep 0.2
	local path
	for path in /tmp/fifo /dev/zero /proc/1/mem; do
		timeout 12 docker cp "endless:$path" - >"$TMP/out" 2>&1 || [ $? != 124 ] || fail "$path hangs"
		[ "$(stat -c %s "$TMP/out")" -lt 10000000 ]
	done
	docker rm -f endless >/dev/null
}

test_a06_bad_paths() {
	docker create --name paths busybox >/dev/null
	api_refused 400 "" GET "/containers/paths/archive?path="
	api_refused 400 "" GET "/containers/paths/archive"
	api_refused 400 "" GET "/containers/paths/archive?path=%00"
	is "$(api_status GET "/containers/paths/archive?path=/$(printf 'a%.0s' {1..9000})" | tr 4 4 | cut -c1)" 4
	is "$(api_status GET "/containers/paths/archive?path=/../../../../etc/shadow")" 404
	docker rm paths >/dev/null
}

# A09
# limit test_a09_a_flood_of_logs_is_bounded_and_keeps_its_end 120
test_a09_a_flood_of_logs_is_bounded_and_keeps_its_end() {
	docker run --name flood --log-opt max-size=1m --log-opt max-file=2 busybox sh -c 'yes "a line of a flood" | head -n 500000; echo the end' >/dev/null
	is "$(docker logs --tail 1 flood)" "the end"
	[ "$(disk_used "$DATA/containers")" -lt 8000 ] || fail "$(disk_used "$DATA/containers") KiB"
	docker run --name long busybox sh -c 'head -c 3000000 /dev/zero | tr "\0" x; echo; printf "a\000b\033[1m\n"' >/dev/null
	docker logs long >"$TMP/long"                    # whole: what head leaves would break the pipe
	is "$(head -1 "$TMP/long" | wc -c)" 3000001
	is "$(tail -1 "$TMP/long" | od -An -c | tr -d ' \n')" 'a\0b033[1m\n'
	docker rm flood long >/dev/null
	docker run --name flood busybox sh -c 'yes "$(head -c 4000 /dev/zero | tr "\0" x)" | head -c 130000000; echo; echo the end' >/dev/null
	is "$(docker logs --tail 1 flood)" "the end"
	[ "$(disk_used "$DATA/containers")" -lt 110000 ] || fail "$(disk_used "$DATA/containers") KiB"
	docker rm flood >/dev/null
}

# --- a full disk --------------------------------------------------------------------------------------------

# limit test_a_full_disk_refuses_new_work_and_keeps_old_work 120
test_a_full_disk_refuses_new_work_and_keeps_old_work() {
	dir=$TMP/disk pid= run=$(mktemp -d /tmp/triton-e2e3.XXXXXX)   # not local: the trap runs outside
	trap 'set +e; trap - ERR; [ -z "$pid" ] || { kill -USR1 $pid; wait $pid; } 2>/dev/null
		grep -e "$dir" -e "$run" /proc/self/mountinfo | cut -d" " -f5 | tac | xargs -r -n1 umount -l; rm -rf "$run" "$TMP"' EXIT
	modprobe loop 2>/dev/null || true
	mkdir -p "$dir"
	truncate -s 160M "$TMP/disk.img"
	mkfs.ext4 -q "$TMP/disk.img" 2>/dev/null || skip "no mkfs.ext4"
	mount -o loop "$TMP/disk.img" "$dir" 2>/dev/null || skip "loop devices cannot be mounted here"
	"$TRITON" serve --data-dir "$dir/data" --run-dir "$run" --docker "" --cloudapi "" --peer "" --instance "$NAME-c" --uid-base 64300 \
		>"$TMP/out" 2>"$TMP/err" </dev/null &
	pid=$!
	small() { env -u DOCKER_TLS_VERIFY -u DOCKER_CERT_PATH DOCKER_HOST="unix://$run/docker.sock" docker "$@"; }
	wait_for 15 small ps
	small import -c 'ENV PATH=/bin' "$E2E/busybox.tar" busybox >/dev/null
	small run -d --name old busybox sh -c 'while :; do echo x; sleep 0.2; done' >/dev/null
	dd if=/dev/zero of="$dir/filler" bs=64k 2>/dev/null || true
	head -c 60000000 /dev/urandom >"$TMP/f"
	tar -C "$TMP" -cf "$TMP/f.tar" f
	refused "" small import "$TMP/f.tar" big
	small run --rm busybox true >"$TMP/run" 2>&1 || true
	is "$(small inspect -f '{{.State.Running}}' old)" true
	rm "$dir/filler"
	working() { small run --rm busybox true; }
	wait_for 10 working
	small rm -f old >/dev/null
}
