# Each option of run and update that limits or opens something: what it does in the container, in its control group and in
# inspect; and who may use it.

V=$([ -e /sys/fs/cgroup/cgroup.controllers ] && echo 2 || echo 1)

cg() { # NAME V1-CONTROLLER V1-FILE V2-FILE: the value in the container's control group
	local id
	id=$(inspect "$1" '{{.Id}}')
	if [ $V = 1 ]; then cat "/sys/fs/cgroup/$2/triton-$NAME/$id/$3"; else cat "/sys/fs/cgroup/triton-$NAME/$id/$4"; fi
}

up() { docker run -d "$@" >/dev/null; }                   # ARGS...

block_device() { lsblk -nrpo NAME,TYPE,MOUNTPOINT | awk '$2 == "disk" && $1 !~ /zram|loop/ { print $1; exit }'; }

test_memory_options() {
	up --name mem -m 256m --memory-swap 300m --memory-reservation 64m busybox sleep 100
	is "$(cg mem memory memory.limit_in_bytes memory.max)" $((256 << 20))
	is "$(cg mem memory memory.soft_limit_in_bytes memory.low)" $((64 << 20))
	if [ $V = 1 ]; then
		is "$(cg mem memory memory.memsw.limit_in_bytes)" $((300 << 20))
		up --name mem1 --memory-swappiness 7 --oom-kill-disable busybox sleep 100
		is "$(cg mem1 memory memory.swappiness)" 7
		has "$(cg mem1 memory memory.oom_control)" "oom_kill_disable 1"
		docker rm -f mem1 >/dev/null
	else
		has "$(docker create --name mem1 --memory-swappiness 7 --oom-kill-disable busybox 2>&1)" "Memory swappiness discarded"
	fi
	is "$(inspect mem '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.MemoryReservation}}')" \
		"$((256 << 20)) $((300 << 20)) $((64 << 20))"
	refused "swappiness range is 0-100" docker create --memory-swappiness 101 busybox
	refused "memory reservation" docker create -m 64m --memory-reservation 65m busybox
	exits 0 docker run --rm --kernel-memory 50m busybox true     # ignored, as Docker does since API 1.42
	docker rm -f mem >/dev/null
}

test_cpu_options() {
	up --name cpu -m 2g --cpu-period 50000 --cpu-quota 25000 --cpu-shares 512 --cpuset-cpus 0 --cpuset-mems 0 busybox sleep 100
	if [ $V = 1 ]; then
		is "$(cg cpu cpu cpu.cfs_period_us) $(cg cpu cpu cpu.cfs_quota_us) $(cg cpu cpu cpu.shares)" "50000 25000 512"
	else
		is "$(cg cpu x x cpu.max) $(cg cpu x x cpu.weight)" "25000 50000 50"
	fi
	is "$(cg cpu cpuset cpuset.cpus cpuset.cpus)$(cg cpu cpuset cpuset.mems cpuset.mems)" 00
	has "$(docker exec cpu grep Cpus_allowed_list /proc/self/status)" "0"
	docker rm -f cpu >/dev/null
	up --name cpu --cpus 0.5 busybox sleep 100
	is "$(cg cpu cpu cpu.cfs_quota_us cpu.max | cut -d' ' -f1)" 50000
	is "$(inspect cpu '{{.HostConfig.NanoCpus}}')" 500000000
	docker rm -f cpu >/dev/null
	refused "Requested CPUs are not available" docker create --cpuset-cpus 0-4000 busybox
	refused "Invalid value a for cpuset cpus" docker create --cpuset-cpus a busybox
	refused "CPU cfs period" docker create --cpu-period 10 busybox
	api_refused 400 "cannot both be set" POST /containers/create -d '{"Image":"busybox","HostConfig":{"NanoCpus":1000000000,"CpuQuota":5000}}'
}

test_realtime_cpu_is_for_operators() {
	refused "--cpu-rt-runtime reaches into the machine" docker create --cpu-rt-runtime 1000 busybox
	refused "higher than cpu real-time period" as boss docker create --cpu-rt-period 1000 --cpu-rt-runtime 2000 busybox
	if [ -e /sys/fs/cgroup/cpu/cpu.rt_runtime_us ]; then
		as boss docker run -d --name rt --cpu-rt-period 1000000 --cpu-rt-runtime 10000 busybox sleep 100 >/dev/null
		local id
		id=$(as boss docker inspect -f '{{.Id}}' rt)
		is "$(cat "/sys/fs/cgroup/cpu/triton-$NAME/$id/cpu.rt_runtime_us")" 10000
	else
		refused "do not support CPU real-time" as boss docker run --rm --cpu-rt-runtime 10000 busybox true
	fi
}

test_packages_are_cpu_weights_and_a_burst() {
	up --name small -m 128m busybox sleep 100
	up --name large -m 2g busybox sleep 100
	if [ $V = 1 ]; then
		is "$(cg small cpu cpu.shares) $(cg large cpu cpu.shares)" "64 1024"
	else
		is "$(cg small x x cpu.weight) $(cg large x x cpu.weight)" "6 100"
	fi
	is "$(cg small cpu cpu.cfs_quota_us cpu.max | cut -d' ' -f1) $(cg large cpu cpu.cfs_quota_us cpu.max | cut -d' ' -f1)" "50000 800000"
	if [ $V = 1 ] && [ -e "/sys/fs/cgroup/blkio/triton-$NAME/blkio.bfq.weight" ]; then
		is "$(cg small blkio blkio.bfq.weight) $(cg large blkio blkio.bfq.weight)" "20 100"
	fi
	docker rm -f small large >/dev/null
}

test_block_io_options() {
	local dev number
	dev=$(block_device)
	[ -b "$dev" ] || skip "no disk to limit"
	number=$(lsblk -dnro MAJ:MIN "$dev")
	up --name io -m 2g --blkio-weight 250 --device-read-bps "$dev:1mb" --device-write-bps "$dev:2mb" --device-read-iops "$dev:30" \
		--device-write-iops "$dev:40" busybox sleep 100
	if [ $V = 1 ]; then
		is "$(cg io blkio blkio.throttle.read_bps_device)" "$number 1048576"
		is "$(cg io blkio blkio.throttle.write_bps_device)" "$number 2097152"
		is "$(cg io blkio blkio.throttle.read_iops_device)" "$number 30"
		is "$(cg io blkio blkio.throttle.write_iops_device)" "$number 40"
		[ ! -e "/sys/fs/cgroup/blkio/triton-$NAME/blkio.bfq.weight" ] || is "$(cg io blkio blkio.bfq.weight)" 50
	else
		is "$(cg io x x io.max)" "$number rbps=1048576 wbps=2097152 riops=30 wiops=40"
	fi
	is "$(inspect io '{{(index .HostConfig.BlkioDeviceReadBps 0).Path}} {{(index .HostConfig.BlkioDeviceReadBps 0).Rate}}')" "$dev 1048576"
	docker rm -f io >/dev/null
	refused "is not a block device of this machine" docker run --rm --device-read-bps /dev/null:1mb busybox true
	api_refused 400 "is not a device below /dev" POST /containers/create \
		-d '{"Image":"busybox","HostConfig":{"BlkioDeviceReadBps":[{"Path":"/dev/../etc/passwd","Rate":1}]}}'
	refused "blkio weight is from 10 to 1000" docker create --blkio-weight 5 busybox
}

test_update_of_every_option() {
	up --name upd -m 512m busybox sleep 100
	docker update -m 256m --memory-swap 512m --memory-reservation 32m --cpu-shares 256 --cpu-period 20000 --cpu-quota 4000 \
		--cpuset-cpus 0 --cpuset-mems 0 --pids-limit 40 --blkio-weight 100 --restart on-failure:3 upd >/dev/null
	is "$(cg upd memory memory.limit_in_bytes memory.max)" $((256 << 20))
	[ $V = 2 ] || is "$(cg upd memory memory.memsw.limit_in_bytes)" $((512 << 20))
	is "$(cg upd memory memory.soft_limit_in_bytes memory.low)" $((32 << 20))
	[ $V = 2 ] || is "$(cg upd cpu cpu.cfs_period_us) $(cg upd cpu cpu.cfs_quota_us) $(cg upd cpu cpu.shares)" "20000 4000 32"
	[ $V = 1 ] || is "$(cg upd x x cpu.max)" "4000 20000"
	is "$(cg upd cpuset cpuset.cpus cpuset.cpus)" 0
	is "$(cg upd pids pids.max pids.max)" 41                     # one is triton's own
	is "$(inspect upd '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.CpuShares}} {{.HostConfig.PidsLimit}} {{.HostConfig.CpuQuota}}')" \
		"$((256 << 20)) $((512 << 20)) 256 40 4000"
	is "$(inspect upd '{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}} {{index .Config.Labels "com.joyent.package"}}')" \
		"on-failure:3 t4-standard-256M"
	docker update --cpus 0.25 upd >/dev/null
	is "$(cg upd cpu cpu.cfs_quota_us cpu.max | cut -d' ' -f1)" 25000
	docker stop -t 0 upd >/dev/null                              # a stopped one: from its next start
	docker update --cpus 0.5 --pids-limit 50 upd >/dev/null
	docker start upd >/dev/null
	is "$(cg upd cpu cpu.cfs_quota_us cpu.max | cut -d' ' -f1) $(cg upd pids pids.max pids.max)" "50000 51"
	docker rm -f upd >/dev/null
}

test_update_below_what_is_used_is_an_error() {
	[ $V = 1 ] || skip "version 2 takes any limit and ends the container"
	up --name full -m 256m --memory-swap 256m --tmpfs /t busybox sh -c 'head -c 180000000 /dev/zero >/t/f; touch /ready; sleep 100'
	wait_for 20 docker exec full test -e /ready
	refused "bytes are in use" docker update -m 128m --memory-swap 128m full
	is "$(cg full memory memory.limit_in_bytes) $(docker exec full echo alive)" "$((256 << 20)) alive"
	docker rm -f full >/dev/null
}

test_update_stays_within_the_package() {
	up --name upd -m 256m busybox sleep 100
	docker update --cpus 2 --pids-limit 100000 --cpu-shares 200000 --blkio-weight 1000 upd >/dev/null
	is "$(cg upd cpu cpu.cfs_quota_us cpu.max | cut -d' ' -f1) $(cg upd pids pids.max pids.max)" "100000 513"
	[ $V = 2 ] || is "$(cg upd cpu cpu.shares)" 128
	docker update -m 600m upd >/dev/null                         # -m picks the package anew, as at create
	is "$(inspect upd '{{index .Config.Labels "com.joyent.package"}}')" t4-standard-1G
	is "$(cg upd memory memory.limit_in_bytes memory.max)" $((1 << 30))
	refused "no package supports the given constraints" docker update -m 65g upd
	refused "already set memoryswap" sh -c 'docker update -m 512m --memory-swap 600m upd && docker update -m 700m upd'
	api_refused 501 "--ulimit is decided when a container is created" POST /containers/upd/update -d '{"Ulimits":[{"Name":"nofile","Soft":1,"Hard":1}]}'
	refused "--cpu-rt-runtime reaches into the machine" docker update --cpu-rt-runtime 1000 upd
	refused "Requested CPUs are not available" docker update --cpuset-cpus 4000 upd
	docker rm -f upd >/dev/null
}

test_ipc_modes() {
	exits 1 docker run --rm --ipc none busybox test -e /dev/shm
	exits 0 docker run --rm --ipc private busybox test -d /dev/shm
	up --name donor --ipc shareable busybox sh -c 'echo shared >/dev/shm/f; sleep 100'
	up --name closed busybox sleep 100
	wait_for 20 docker exec donor test -s /dev/shm/f
	is "$(docker run --rm --ipc container:donor busybox sh -c 'cat /dev/shm/f; echo back >/dev/shm/g')" shared
	is "$(docker exec donor cat /dev/shm/g)" back
	is "$(docker run --rm --ipc container:donor busybox readlink /proc/self/ns/ipc)" "$(docker exec donor readlink /proc/self/ns/ipc)"
	is "$(docker create --name joined --ipc container:donor busybox >/dev/null; inspect joined '{{.HostConfig.IpcMode}}')" \
		"container:$(inspect donor '{{.Id}}')"
	refused "non-shareable IPC" docker run --rm --ipc container:closed busybox true
	refused "No such container: nosuch" docker create --ipc container:nosuch busybox
	refused "IPC mode" docker create --ipc wrong busybox
	refused "reaches into the machine" docker create --ipc host busybox
	is "$(as boss docker run --rm --ipc host busybox readlink /proc/self/ns/ipc)" "$(readlink /proc/self/ns/ipc)"
	is "$(as boss docker run --rm --ipc host busybox stat -f -c %b /dev/shm)" "$(stat -f -c %b /dev/shm)"
	docker rm -f donor closed joined >/dev/null
}

test_pid_modes() {
	up --name first busybox sleep 4711
	has "$(docker run --rm --pid container:first busybox ps -o args)" "sleep 4711"
	has "$(docker run --rm --pid container:first --network container:first busybox ps -o args)" "sleep 4711"
	up --name second busybox sleep 100
	refused "other user ids" docker run --rm --pid container:first --network container:second busybox true
	docker stop -t 0 first >/dev/null
	refused "non running container" docker run --rm --pid container:first busybox true
	refused "reaches into the machine" docker create --pid host busybox
	refused "PID mode" docker create --pid wrong busybox
	is "$(as boss docker run --rm --pid host busybox readlink /proc/self/ns/pid)" "$(readlink /proc/self/ns/pid)"
	has "$(as boss docker run --rm --pid host busybox cat /proc/1/comm)" "$(cat /proc/1/comm)"
	exits 1 as boss docker run --rm --pid host busybox ls /proc/1/root/
	docker rm -f first second >/dev/null
}

test_uts_cgroup_and_user_modes() {
	refused "reaches into the machine" docker create --uts host busybox
	refused "reaches into the machine" docker create --cgroupns host busybox
	refused "reaches into the machine" docker create --userns host busybox
	is "$(as boss docker run --rm --uts host busybox hostname)" "$(hostname)"
	refused "conflicting options" as boss docker create --uts host -h x busybox
	is "$(run cat /proc/self/cgroup | cut -d: -f3 | sort -u)" /
	has "$(as boss docker run --rm --cgroupns host busybox cat /proc/self/cgroup)" "/triton-$NAME/"
	is "$(as boss docker run --rm --cgroupns host busybox sh -c 'ls /sys/fs/cgroup | wc -l')" "$(ls /sys/fs/cgroup | wc -l)"
	is "$(as boss docker run --rm --userns host busybox awk '{ print $1, $2 }' /proc/self/uid_map)" "0 0"
	is "$(as boss docker run --rm --userns host busybox awk '/^CapEff/ {print $2}' /proc/self/status)" 00000000a80425fb
	is "$(as boss docker run --rm --userns host -u user busybox id -un)" user
	as boss docker run -d --name hu --userns host busybox sleep 100 >/dev/null
	is "$(as boss docker exec hu id -u)" 0
	as boss docker rm -f hu >/dev/null
	is "$(docker run --rm --init busybox cat /proc/1/comm)" docker-init
}

test_devices() {
	local mode
	refused "reaches into the machine" docker create --device /dev/fuse busybox
	refused "reaches into the machine" docker create --device-cgroup-rule "c 10:229 rwm" busybox
	refused "not a device node" as boss docker run --rm --device /etc/passwd busybox true
	refused "/dev/nosuch\": No such file" as boss docker run --rm --device /dev/nosuch busybox true
	# A node of root alone: bound with the machine's owner the container's root could not open it.
	mknod -m 600 "$TMP/loop" b 7 0
	is "$(as boss docker run --rm --device "$TMP/loop:/dev/l:r" busybox sh -c '(: </dev/l) && echo read; (: >>/dev/l) 2>/dev/null || echo no')" "read"$'\n'"no"
	is "$(as boss docker run --rm --device "$TMP/loop:/dev/l" busybox sh -c '(: <>/dev/l) && stat -c "%t:%T %u %a" /dev/l')" "7:0 0 600"
	mkdir "$TMP/devs" "$TMP/devs/sub"
	mknod "$TMP/devs/n" c 1 3
	mknod "$TMP/devs/sub/z" c 1 5
	is "$(as boss docker run --rm --device "$TMP/devs:/dev/more" busybox sh -c 'cd /dev/more; find . -type c | sort | xargs; head -c 3 sub/z | wc -c')" "./n ./sub/z"$'\n'"3"
	# A rule opens what is made inside; that needs the machine's user ids.
	exits 0 as boss docker run --rm --userns host --device-cgroup-rule "b 7:* r" busybox sh -c 'mknod /l b 7 0 && : </l'
	exits 1 as boss docker run --rm --userns host busybox sh -c 'mknod /l b 7 0 && : </l'
	refused 'could not select device driver "" with capabilities: ' docker run --rm --gpus all busybox true
}

test_images_are_mounted() {
	docker run --name two busybox sh -c 'mkdir -p /tools/deep; echo a tool >/tools/deep/t; rm /etc/group' >/dev/null
	docker commit two two:1 >/dev/null
	docker rm two >/dev/null
	# Of one layer and of several, as their ids in the container are; nobody writes to them.
	is "$(docker run --rm --mount type=image,source=busybox,target=/one busybox sh -c 'stat -c %u /one/bin/busybox; /one/bin/busybox echo runs')" "0"$'\n'"runs"
	is "$(docker run --rm --mount type=image,src=two:1,dst=/x/two --mount type=image,src=two:1,dst=/again busybox sh -c 'cat /x/two/tools/deep/t; ls /again/etc/group 2>&1 || :')" \
		"a tool"$'\n'"ls: /again/etc/group: No such file or directory"
	has "$(docker run --rm --mount type=image,src=two:1,dst=/two busybox touch /two/new 2>&1 || true)" "Read-only file system"
	is "$(docker run --rm --mount type=image,src=two:1,dst=/t,image-subpath=tools/deep busybox ls /t)" t
	is "$(docker run --rm --mount type=image,src=two:1,dst=/f,image-subpath=tools/deep/t busybox cat /f)" "a tool"
	refused "No such file" docker run --rm --mount type=image,src=two:1,dst=/t,image-subpath=tools/nosuch busybox true
	refused "relative path" docker create --mount type=image,src=two:1,dst=/t,image-subpath=../x busybox
	refused "No such image: nosuch:latest" docker create --mount type=image,src=nosuch,dst=/t busybox
	# It is used: inspect says so, it cannot go, another takes it over, cp reads it while it does not run, and the layers stay with a forced tag away.
	docker create --name holds --mount type=image,src=two:1,dst=/two,readonly=false busybox cat /two/tools/deep/t >/dev/null
	is "$(docker inspect -f '{{range .Mounts}}{{.Type}} {{.Source}} {{.Destination}} {{.RW}}{{end}}' holds)" "image two:1 /two false"
	refused "container" docker rmi two:1
	is "$(docker run --rm --volumes-from holds busybox cat /two/tools/deep/t)" "a tool"
	is "$(docker cp holds:/two/tools/deep/t - | tar xO)" "a tool"
	is "$(docker start -a holds)" "a tool"
	docker rm holds >/dev/null
	docker rmi two:1 >/dev/null
}

test_mount_options_of_volumes() {
	docker run --rm --mount type=volume,source=mv,target=/d,volume-label=a=b busybox sh -c 'mkdir -p /d/sub/deep; echo in >/d/sub/f; ln -s /etc /d/out'
	is "$(docker volume inspect -f '{{.Labels.a}}' mv)" b
	is "$(docker run --rm --mount type=volume,source=mv,target=/d,volume-subpath=sub busybox cat /d/f)" in
	exits 1 docker run --rm --mount type=volume,source=mv,target=/d,readonly busybox touch /d/x
	# A link of the volume leads nowhere but into the volume.
	refused "cannot access path out" docker run --rm --mount type=volume,source=mv,target=/d,volume-subpath=out busybox true
	refused "cannot access path nosuch" docker run --rm --mount type=volume,source=mv,target=/d,volume-subpath=nosuch busybox true
	refused "relative path" docker create --mount type=volume,source=mv,target=/d,volume-subpath=../x busybox
	is "$(docker run --rm --mount type=volume,target=/etc,volume-nocopy busybox sh -c 'ls /etc | grep -v -e hosts -e hostname -e resolv.conf | wc -l')" 0
	has "$(docker run --rm --mount type=volume,target=/etc busybox ls /etc)" passwd
	refused "invalid size of a volume" docker create --mount type=volume,target=/d,volume-opt=size=1 busybox
	refused "volume plugin nosuch" docker create --mount type=volume,target=/d,volume-driver=nosuch busybox
	refused "volume plugin nosuch" docker create --volume-driver nosuch -v x:/y busybox
	exits 0 docker run --rm --mount type=volume,source=mv,target=/d,consistency=cached busybox true
	exits 1 docker run --rm -v mv:/d:ro,nocopy busybox touch /d/x
	refused "invalid mode" docker create -v mv:/d:ro,rw busybox
	refused "invalid mode" docker create -v mv:/d:rshared busybox
	api_refused 400 "BindOptions" POST /containers/create -d '{"Image":"busybox","HostConfig":{"Mounts":[{"Type":"volume","Target":"/d","BindOptions":{"Propagation":"rprivate"}}]}}'
	docker volume rm mv >/dev/null
}

test_mount_options_of_binds() {
	local d=$TMP/src
	refused "reaches into the machine" docker create --mount type=bind,source=/,target=/d busybox
	mkdir -p "$d/below"
	mount -t tmpfs below "$d/below"
	touch "$d/below/f"
	is "$(as boss docker run --rm --mount "type=bind,source=$d,target=/d" busybox ls /d/below)" f
	is "$(as boss docker run --rm --mount "type=bind,source=$d,target=/d,bind-recursive=disabled" busybox ls /d/below)" ""
	exits 1 as boss docker run --rm --mount "type=bind,source=$d,target=/d,readonly" busybox touch /d/below/g
	exits 0 as boss docker run --rm --userns host --mount "type=bind,source=$d,target=/d,readonly,bind-recursive=writable" busybox touch /d/below/g
	exits 1 as boss docker run --rm --userns host --mount "type=bind,source=$d,target=/d,readonly,bind-recursive=writable" busybox touch /d/g
	umount "$d/below"
	refused "bind source path does not exist" as boss docker run --rm --mount "type=bind,source=$d/new,target=/d" busybox true
	exits 0 as boss docker run --rm -v "$d/made/deep:/d" busybox true
	[ -d "$d/made/deep" ] || fail "-v did not make its source"
	# What is mounted on the machine later is seen by a slave, and by nobody else.
	mount -t tmpfs peers "$d" && mount --make-shared "$d" && mkdir "$d/late"
	as boss docker run -d --name slave -v "$d:/d:rslave" busybox sleep 100 >/dev/null
	as boss docker run -d --name private -v "$d:/d" busybox sleep 100 >/dev/null
	mount -t tmpfs late "$d/late" && touch "$d/late/f"
	is "$(as boss docker exec slave ls /d/late)$(as boss docker exec private ls /d/late)" f
	is "$(as boss docker inspect -f '{{(index .Mounts 0).Propagation}}' slave private | xargs)" "rslave rprivate"
	# And what a shared one mounts is seen here.
	as boss docker run --rm --privileged -v "$d:/d:rshared" busybox sh -c 'mkdir /d/back && mount -t tmpfs x /d/back && touch /d/back/g; sleep 0.2' &
	wait_for 10 test -e "$d/back/g"
	wait $!
	as boss docker rm -f slave private >/dev/null
	umount -R "$d"
	mount -t tmpfs alone "$d" && mount --make-private "$d"
	refused "not shared" as boss docker run --rm -v "$d:/d:rshared" busybox true
	umount "$d"
}

test_tmpfs_options() {
	has "$(docker run --rm --mount type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=0700 busybox sh -c 'stat -c %a /t; df -k /t | tail -1')" "700"
	is "$(docker run --rm --mount type=tmpfs,target=/t,tmpfs-size=1m busybox df -k /t | awk 'END {print $2}')" 1024
	is "$(docker run --rm --tmpfs /t:size=2m,mode=0711,uid=1000,gid=10,noatime busybox stat -c '%a %u %g' /t)" "711 1000 10"
	has "$(docker run --rm --tmpfs /t:exec,noatime busybox grep ' /t ' /proc/mounts)" "noatime"
	has_not "$(docker run --rm --tmpfs /t:exec busybox grep ' /t ' /proc/mounts)" "noexec"
	has "$(docker run --rm --tmpfs /t busybox grep ' /t ' /proc/mounts)" "nosuid,nodev,noexec"
	exits 1 docker run --rm --tmpfs /t:ro busybox touch /t/x
	refused "invalid tmpfs option" docker create --tmpfs /t:bogus busybox
	refused "invalid tmpfs option" docker create --tmpfs /t:uid=x busybox
	refused "Source must not be specified" docker create --mount type=tmpfs,source=x,target=/t busybox
}

# Containers have ids of their own each; what they share on a volume has the owners that both see.
test_owners_on_a_shared_volume() {
	up --name one -v own:/v busybox sleep 100
	up --name two -v own:/v busybox sleep 100
	[ "$(docker exec one awk '{print $2}' /proc/self/uid_map)" != "$(docker exec two awk '{print $2}' /proc/self/uid_map)" ] || fail "one range of ids"
	docker exec one sh -c 'echo root >/v/r; mkdir -m 777 /v/open'
	docker exec -u user one sh -c 'echo user >/v/open/u; chmod 600 /v/open/u'
	is "$(docker exec two stat -c '%u:%g' /v/r /v/open/u | xargs)" "0:0 1000:1000"
	is "$(docker exec -u user two cat /v/open/u)" user
	docker exec -u user two sh -c 'echo more >>/v/open/u'
	is "$(docker exec -u user one cat /v/open/u | xargs)" "user more"
	exits 1 docker exec -u nobody two cat /v/open/u
	exits 1 docker exec -u user two sh -c 'echo x >>/v/r'
	docker exec two chown 1000:2000 /v/r                         # root gives away in one, the user has it in the other
	is "$(docker exec one stat -c '%u:%g' /v/r)" 1000:2000
	docker exec -u user one sh -c 'echo mine >/v/r; chgrp extra /v/open/u'
	is "$(docker exec two cat /v/r) $(docker exec two stat -c '%u:%g' /v/open/u)" "mine 1000:2000"
	exits 1 docker exec -u user one chown 0 /v/r
	is "$(stat -c %u "$DATA/fs/volumes/me/own/_data/r")" 1000    # no host id of a container is written anywhere
	docker rm -f one two >/dev/null
	is "$(docker run --rm -v own:/v busybox stat -c '%u:%g' /v/r)" 1000:2000
	docker volume rm own >/dev/null
}

test_security_options() {
	is "$(docker run --rm --cap-drop all --cap-add chown --cap-add CAP_KILL busybox awk '/^CapEff/ {print $2}' /proc/self/status)" 0000000000000021
	is "$(docker run --rm --cap-drop CAP_MKNOD busybox awk '/^CapBnd/ {print $2}' /proc/self/status)" 00000000a00425fb
	refused "reaches into the machine" docker create --cap-add net_admin busybox
	refused "reaches into the machine" docker create --cap-add ALL busybox
	is "$(as boss docker run --rm --cap-add NET_ADMIN busybox awk '/^CapEff/ {print $2}' /proc/self/status)" 00000000a80435fb
	refused "capability" as boss docker create --cap-add NOSUCH busybox
	is "$(docker run --rm --security-opt no-new-privileges:true busybox awk '/^NoNewPrivs/ {print $2}' /proc/self/status)" 1
	is "$(docker run --rm --security-opt no-new-privileges=false busybox awk '/^NoNewPrivs/ {print $2}' /proc/self/status)" 0
	refused "seccomp=unconfined reaches into the machine" docker create --security-opt seccomp=unconfined busybox
	is "$(as boss docker run --rm --security-opt seccomp=unconfined busybox awk '/^Seccomp:/ {print $2}' /proc/self/status)" 0
	refused "systempaths=unconfined" docker create --security-opt systempaths=unconfined busybox
	has "$(as boss docker run --rm --security-opt systempaths=unconfined busybox ls /proc/sys/kernel /proc/scsi /proc/acpi 2>&1)" hostname
	is "$(as boss docker create --security-opt systempaths=unconfined --name sp busybox >/dev/null; as boss docker inspect -f '{{.HostConfig.MaskedPaths}}' sp)" "[]"
	refused "apparmor=x is not supported" docker create --security-opt apparmor=x busybox
	exits 0 docker run --rm --security-opt label=disable --security-opt apparmor=unconfined busybox true
	refused "a negative --oom-score-adj" docker create --oom-score-adj -1 busybox
	is "$(docker run --rm --oom-score-adj 77 busybox cat /proc/self/oom_score_adj)" 77
	refused "--ulimit rtprio reaches into the machine" docker create --ulimit rtprio=1 busybox
	is "$(as boss docker run --rm --ulimit rtprio=3:4 busybox sh -c 'ulimit -r' 2>/dev/null || echo 3)" 3
}

test_seccomp_profiles() {
	local deny='{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}'
	echo "$deny" >"$TMP/deny.json"
	echo '{"defaultAction":"SCMP_ACT_ALLOW"}' >"$TMP/allow.json"
	up --name prof --security-opt "seccomp=$TMP/deny.json" busybox sleep 100
	has "$(docker exec prof mkdir /x 2>&1)" "No space left"
	has "$(docker exec -u user prof mkdir /tmp/x 2>&1)" "No space left"
	has "$(inspect prof '{{.HostConfig.SecurityOpt}}')" 'seccomp={"defaultAction"'
	docker restart -t 0 prof >/dev/null
	has "$(docker exec prof mkdir /x 2>&1)" "No space left"
	docker rm -f prof >/dev/null
	# A profile of an ordinary account holds besides the built-in one, an operator's instead of it.
	exits 1 docker run --rm --security-opt "seccomp=$TMP/allow.json" busybox unshare -U true
	exits 0 as boss docker run --rm --security-opt "seccomp=$TMP/allow.json" busybox unshare -U true
	has "$(as boss docker run --rm --privileged --security-opt "seccomp=$TMP/deny.json" busybox mkdir /x 2>&1)" "No space left"
	# An allow-list that has only what the program itself needs.
	cat >"$TMP/few.json" <<-END
	{"defaultAction":"SCMP_ACT_KILL_PROCESS","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_AARCH64"],"syscalls":[{"names":["capset","execve",
	"brk","arch_prctl","set_tid_address","set_robust_list","rseq","prlimit64","readlink","readlinkat","getrandom","mprotect","write","exit_group",
	"newfstatat","stat","faccessat","faccessat2","getuid","geteuid","getpid","mmap","munmap","ioctl","fstat","poll","rt_sigaction","uname",
	"rt_sigprocmask","writev","futex","setuid","setgid","getgid","getegid","access","prctl","clock_gettime"],"action":"SCMP_ACT_ALLOW"}]}
	END
	is "$(docker run --rm -u user --security-opt "seccomp=$TMP/few.json" busybox echo few)" few
	exits 159 docker run --rm --security-opt "seccomp=$TMP/few.json" busybox mkdir /x
	echo '{"defaultAction":"SCMP_ACT_NONE"}' >"$TMP/bad.json"
	refused "there is no action" docker create --security-opt "seccomp=$TMP/bad.json" busybox
	echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["kill"],"action":"SCMP_ACT_NOTIFY"}]}' >"$TMP/bad.json"
	refused "SCMP_ACT_NOTIFY is not supported" docker create --security-opt "seccomp=$TMP/bad.json" busybox
	api_refused 400 "--security-opt seccomp" POST /containers/create -d '{"Image":"busybox","HostConfig":{"SecurityOpt":["seccomp=[]"]}}'
}

test_the_rest_of_run() {
	is "$(docker run --rm --group-add 77 --group-add extra busybox id -G | tr ' ' '\n' | sort -n | xargs)" "0 77 2000"
	refused "nosuchgroup" docker run --rm --group-add nosuchgroup busybox true
	exits 1 docker run --rm --read-only busybox touch /x
	refused "--cgroup-parent is not supported" docker create --cgroup-parent /x busybox
	refused "unknown or invalid runtime name: kata" docker create --runtime kata busybox
	exits 0 docker run --rm --runtime runc busybox true
	refused "invalid isolation" docker create --isolation hyperv busybox
	docker create --name rest --annotation a=b --stop-signal USR1 --stop-timeout 3 --domainname example.org busybox >/dev/null
	is "$(inspect rest '{{.HostConfig.Annotations.a}} {{.Config.StopSignal}} {{.Config.StopTimeout}} {{.Config.Domainname}}')" "b USR1 3 example.org"
	docker rm rest >/dev/null
	is "$(docker run --rm --domainname example.org busybox cat /proc/sys/kernel/domainname)" example.org
	up --name rest busybox sleep 100
	refused "exec --privileged reaches into the machine" docker exec --privileged rest true
	as boss docker run -d --name priv busybox sleep 100 >/dev/null
	has_not "$(as boss docker exec --privileged priv awk '/^CapEff/ {print $2}' /proc/self/status)" 00000000a80425fb
	refused "No such container" docker exec priv true
	docker rm -f rest >/dev/null
	refused "link-local" docker run --rm --link-local-ip 169.254.1.1 busybox true
	refused "not allowed" as boss docker create --network host --sysctl net.ipv4.ip_forward=1 busybox
	refused "not allowed" as boss docker create --ipc host --sysctl kernel.shmmax=1 busybox
	is "$(docker run --rm --sysctl kernel.shm_rmid_forced=1 --sysctl fs.mqueue.msg_max=7 busybox cat /proc/sys/kernel/shm_rmid_forced /proc/sys/fs/mqueue/msg_max | xargs)" "1 7"
}

# volume create -o and volume-opt: what the driver "local" takes.
test_options_of_volumes() {
	local at=$TMP/host
	docker volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,mode=750,uid=1000 memory >/dev/null
	is "$(docker volume inspect memory -f '{{.Options.o}} {{.Options.type}}')" "size=1m,mode=750,uid=1000 tmpfs"
	is "$(docker run --rm -v memory:/m busybox sh -c 'stat -c "%a %u" /m; df -k /m | tail -1 | awk "{ print \$2 }"; grep " /m " /proc/mounts | cut -d " " -f 3')" \
		$'750 1000\n1024\ntmpfs'
	is "$(docker run --rm --mount type=volume,source=memory2,target=/m,volume-opt=type=tmpfs,volume-opt=o=size=2m busybox sh -c 'df -k /m | tail -1 | awk "{ print \$2 }"')" 2048
	is "$(docker volume inspect memory2 -f '{{.Options.type}}')" tmpfs
	refused "for operator accounts only" docker volume create -o type=none -o o=bind -o device=/etc evil
	refused "for operator accounts only" docker create --mount type=volume,target=/e,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/etc busybox
	refused "type nfs" docker volume create -o type=nfs -o o=addr=192.0.2.2 -o device=:/x share
	refused "invalid option" docker volume create -o nosuch=1 x1
	mkdir -p "$at"
	chmod 755 "$TMP" "$at"
	echo "of the host" >"$at/file"
	as boss docker volume create -o type=none -o o=bind -o device="$at" host >/dev/null
	is "$(as boss docker run --rm -v host:/h busybox cat /h/file)" "of the host"
	as boss docker volume create -o type=none -o o=bind,ro -o device="$at" hostro >/dev/null
	exits 1 as boss docker run --rm -v hostro:/h busybox touch /h/x
	as boss docker volume create -o type=none -o o=bind -o device="$at/nosuch" hostno >/dev/null
	refused "does not exist" as boss docker run --rm -v hostno:/h busybox true
	docker volume create -o size=5m sized >/dev/null
	if docker info 2>/dev/null | grep -q 'Disk quotas: project'; then
		exits 1 docker run --rm -v sized:/s busybox dd if=/dev/zero of=/s/x bs=1M count=8
	else
		refused "a size is supported only where" docker run --rm -v sized:/s busybox true
	fi
	docker volume rm memory memory2 sized >/dev/null
	as boss docker volume rm host hostro hostno >/dev/null
	is "$(cat "$at/file")" "of the host"
}
