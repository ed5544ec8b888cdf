# The instance under test, its network namespaces, keys, images and registry. Read by `run` and by lib.sh.

DOCKER_ADDR=127.0.0.1:23760
CLOUD_ADDR=127.0.0.1:28443
REGISTRY=127.0.0.1:25443
# Instances that run at the same time do not share users. Exported: the tests' own shells must start serve with the same ones.
export UID_BASE=${UID_BASE:-$((100000 + $$ % 100000 * 8))}
TRITON=$E2E/triton
DATA=$E2E/data
LOG=$RUN/log/triton.log

inside() { nsenter --net="/run/netns/$NS" -- "$@"; }
outside() { nsenter --net="/run/netns/$OUT" -- "$@"; }
root_docker() { inside env -u DOCKER_TLS_VERIFY -u DOCKER_CERT_PATH DOCKER_HOST="unix://$RUN/docker.sock" docker "$@"; }

until_ok() { # SECONDS COMMAND...: again and again until it succeeds
	local until=$(($(date +%s) + $1 * ${E2E_SLOW:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $until ] || return 1
		sleep 0.05
	done
}

# --- networks: inside 192.0.2.1 --- 192.0.2.2 outside ---------------------------------------------------

networks_create() {
	ip netns add "$NS" && ip netns add "$OUT" || return 1
	ip link add name e2e-up netns "$NS" type veth peer name e2e-up netns "$OUT" || return 1
	inside ip link set lo up && outside ip link set lo up
	inside ip addr add 192.0.2.1/24 dev e2e-up && inside ip link set e2e-up up
	outside ip addr add 192.0.2.2/24 dev e2e-up && outside ip link set e2e-up up
	inside ip route add default via 192.0.2.2
	mkdir -p "$E2E/www" && echo "hello from outside" >"$E2E/www/index.html"
	outside busybox httpd -f -p 192.0.2.2:80 -h "$E2E/www" &
	echo $! >"$E2E/www.pid"
}

# --- serve ----------------------------------------------------------------------------------------------

serve_start() { # FLAG...: more flags for serve; with as many files as systems give: 1,024
	inside setsid prlimit --nofile=1024: "$TRITON" serve --data-dir "$DATA" --run-dir "$RUN" --docker $DOCKER_ADDR --cloudapi $CLOUD_ADDR --peer "" \
		--datacenter e2e --instance "$NAME" --uid-base $UID_BASE "$@" >"$E2E/serve.out" 2>"$E2E/serve.err" </dev/null &
	echo $! >"$E2E/serve.pid"
	until_ok 15 grep -q 'serves data center' "$E2E/serve.out" && return 0
	echo "triton serve was not ready after 15 s:"
	cat "$E2E/serve.out"; tail -n 20 "$E2E/serve.err"
	return 1
}

serve_pid() { cat "$RUN/serve.pid" 2>/dev/null; }

serve_stop() { # SIGNAL
	local pid
	pid=$(serve_pid) || return 0
	[ "$pid" ] || return 0
	kill "-${1:-TERM}" "$pid" 2>/dev/null || return 0
	until_ok 30 not_alive "$pid"
}

serve_ensure() { # a test that failed may have left none
	not_alive "$(serve_pid || echo none)" || return 0
	serve_start >>"$E2E/restart.out" 2>&1
}

not_alive() { [ -z "$1" ] || [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

log_mark() { stat -c %s "$LOG" >"$E2E/log.mark" 2>/dev/null || echo 0 >"$E2E/log.mark"; }
log_tail() { # what was logged since the mark, without what is only information
	[ -e "$LOG" ] || { tail -5 "$E2E/serve.err" 2>/dev/null; return; }
	tail -c "+$(($(cat "$E2E/log.mark" 2>/dev/null || echo 0) + 1))" "$LOG" | grep -v '"level":[123]0' | tail -8 | cut -c 1-400
}

# --- accounts -------------------------------------------------------------------------------------------

account_create() { # LOGIN TYPE [FLAG...]
	ssh-keygen -q -t "$2" -N '' -C "$1@e2e" -f "$E2E/keys/$1" &&
	"$TRITON" account add "$1" --key "$E2E/keys/$1.pub" --run-dir "$RUN" "${@:3}"
}

cloud_url() { # with the fingerprint of the CA
	sed -n 's/.*CloudAPI *\(https:[^ ]*\).*/\1/p' "$E2E/serve.out" | head -1
}

setup_account() { # LOGIN: a client certificate in $HOME/.triton/docker/LOGIN
	inside env HOME="$E2E/home" SSH_AUTH_SOCK= "$TRITON" setup -k "$E2E/keys/$1" --account "$1" "$(cloud_url)" </dev/null
}

# Without triton setup: a self-signed certificate, so that the other tests still say something when setup is broken.
certificate_by_hand() { # LOGIN
	local dir=$E2E/home/.triton/docker/$1
	mkdir -p "$dir"
	ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f "$dir/key.pem" &&
	"$TRITON" key add "$1" "$dir/key.pem.pub" --run-dir "$RUN" &&
	openssl req -x509 -key "$dir/key.pem" -subj "/CN=$1" -days 2 -out "$dir/cert.pem" 2>/dev/null &&
	cp "$DATA/ca/cert.pem" "$dir/ca.pem"
}

# --- images ---------------------------------------------------------------------------------------------

# Debian's mirrors as this machine knows them.
mirrors() {
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null | grep -v security | awk '!seen[$0]++'
}

busybox_tar() { # to stdout: a root file system with busybox only
	local dir=$E2E/busybox
	if [ ! -e "$dir/bin/busybox" ]; then
		mkdir -p "$dir"/{bin,dev,etc,home,proc,root,sys,tmp,usr/bin,var}
		cp "$(command -v busybox)" "$dir/bin/busybox"
		"$dir/bin/busybox" --list | grep -vx busybox | python3 -c 'import os, sys; [os.symlink("busybox", sys.argv[1] + "/" + applet.strip()) for applet in sys.stdin]' "$dir/bin"
		printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' >"$dir/etc/passwd"
		printf 'root:x:0:\nuser:x:1000:\nwheel:x:10:user\nextra:x:2000:user\nnogroup:x:65534:\n' >"$dir/etc/group"
		chmod 1777 "$dir/tmp"
	fi
	tar -C "$dir" --numeric-owner --owner=0 --group=0 -c .
}

debian_tar() { # makes build/cache/debian-rootfs.tar once; 1 when the mirror cannot be reached
	local tar=$ROOT/build/cache/debian-rootfs.tar dir mirror
	[ -s "$tar" ] && return 0
	command -v debootstrap >/dev/null || return 1
	mirror=$(mirrors | head -1)
	[ "$mirror" ] && timeout 5 curl -sfI "${mirror%/}/dists/bookworm/Release" >/dev/null || return 1
	dir=$(mktemp -d "$ROOT/build/e2e/debian.XXXXXX")
	mkdir -p "$ROOT/build/cache"
	timeout 400 debootstrap --variant=minbase bookworm "$dir" "$mirror" >"$E2E/debootstrap.log" 2>&1 &&
	rm -rf "$dir"/var/cache/apt/* "$dir"/var/lib/apt/lists/* "$dir"/usr/share/{doc,man,locale}/* &&
	tar -C "$dir" --numeric-owner --one-file-system -cf "$tar.new" . && mv "$tar.new" "$tar"
	rm -rf "$dir"
	[ -s "$tar" ]
}

# --- a registry: TLS by an authority of its own, user "pusher", password "secret" --------------------------

registry_start() {
	local dir=$E2E/registry
	command -v docker-registry >/dev/null || return 1
	mkdir -p "$dir/data" "$DATA/certs.d/$REGISTRY"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/ca.key" -out "$dir/ca.crt" -days 2 \
		-subj "/CN=e2e registry authority" 2>/dev/null &&
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/key.pem" -out "$dir/csr" -subj "/CN=registry" 2>/dev/null &&
	openssl x509 -req -in "$dir/csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 2 -out "$dir/cert.pem" \
		-extfile <(echo "subjectAltName=IP:127.0.0.1,DNS:localhost") 2>/dev/null || return 1
	cp "$dir/ca.crt" "$DATA/certs.d/$REGISTRY/ca.crt"
	perl -e 'print "pusher:", crypt("secret", "\$2b\$05\$abcdefghijklmnopqrstuu"), "\n"' >"$dir/htpasswd"
	cat >"$dir/config.yml" <<END
version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: $dir/data }, delete: { enabled: true } }
auth: { htpasswd: { realm: e2e, path: $dir/htpasswd } }
http: { addr: "$REGISTRY", tls: { certificate: $dir/cert.pem, key: $dir/key.pem } }
END
	inside docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1 &
	echo $! >"$dir/pid"
	until_ok 10 inside curl -sf --cacert "$dir/ca.crt" -u pusher:secret "https://$REGISTRY/v2/"
}

# --- together -------------------------------------------------------------------------------------------

instance_create() {
	mkdir -p "$E2E"/{home,keys,docker}
	cp "$BINARY" "$TRITON" &&                         # an inode of its own: its processes can be told from others'
	networks_create && serve_start &&
	account_create me ed25519 && account_create other ecdsa && account_create boss rsa --operator || return 1
	for login in me other boss; do
		setup_account $login >>"$E2E/setup.out" 2>&1 || { touch "$E2E/setup.failed"; certificate_by_hand $login || return 1; }
	done
	busybox_tar >"$E2E/busybox.tar"
	for login in me other boss; do
		as $login docker import -c 'CMD ["sh"]' -c 'ENV PATH=/bin:/usr/bin' "$E2E/busybox.tar" busybox >>"$E2E/import.out" 2>&1 || touch "$E2E/import.failed"
	done
	mkdir -p "$DATA/certs.d"
	registry_start || echo "no registry" >"$E2E/registry.missing"
	debian_tar || echo "the Debian mirror cannot be reached" >"$E2E/debian.missing"
}

as() { # LOGIN COMMAND...
	local login=$1
	shift
	inside env HOME="$E2E/home" DOCKER_CONFIG="$E2E/docker" DOCKER_HOST="tcp://$DOCKER_ADDR" DOCKER_TLS_VERIFY=1 \
		DOCKER_CERT_PATH="$E2E/home/.triton/docker/$login" "$@"
}

local_api() { # METHOD PATH: on the root-only socket, as the operator account
	curl -s -m 20 --unix-socket "$RUN/docker.sock" -X "$1" "http://localhost$2"
}

owned() { "$TRITON" state dump --run-dir "$RUN" | grep '^[cN]/' | cut -d' ' -f1; } # keys of containers and networks

containers_purge() { # of all accounts; a test that cleans up after itself leaves what $E2E/owned says
	local login certs
	[ "$(owned 2>/dev/null)" != "$(cat "$E2E/owned" 2>/dev/null || echo unknown)" ] || return 0
	for login in me other boss; do
		certs=$E2E/home/.triton/docker/$login
		for id in $(inside curl -s -m 10 --cacert "$certs/ca.pem" --cert "$certs/cert.pem" --key "$certs/key.pem" \
			"https://$DOCKER_ADDR/containers/json?all=1" | jq -r '.[].Id' 2>/dev/null); do
			inside curl -s -m 20 -o /dev/null --cacert "$certs/ca.pem" --cert "$certs/cert.pem" --key "$certs/key.pem" \
				-X DELETE "https://$DOCKER_ADDR/containers/$id?force=1&v=1"
		done
		inside curl -s -m 20 -o /dev/null --cacert "$certs/ca.pem" --cert "$certs/cert.pem" --key "$certs/key.pem" \
			-X POST "https://$DOCKER_ADDR/networks/prune"
	done
	for id in $(local_api GET '/containers/json?all=1' | jq -r '.[].Id' 2>/dev/null); do
		local_api DELETE "/containers/$id?force=1&v=1" >/dev/null
	done
}

everything_remove() {
	containers_purge
	for login in me other boss; do
		as $login docker volume prune -af
		as $login docker image prune -af
	done >/dev/null 2>&1
	sleep 1.5                                         # what is swept in the background
}

instance_processes() { # pids of the program, its shims included
	local exe
	for exe in /proc/[0-9]*/exe; do
		case $(readlink "$exe" 2>/dev/null) in "$TRITON"*) echo "$exe" | cut -d/ -f3 ;; esac
	done
}

namespace_processes() { # pids that live in a container's cgroup of this instance; zygotes' are none
	local p
	for p in /proc/[0-9]*; do
		if grep "$NAME" "$p/cgroup" 2>/dev/null | grep -qv '/spare-'; then basename "$p"; fi
	done
}

# What the instance holds, as lines "WHAT NUMBER".
counts_take() {
	echo "mounts $(grep -c -e "$E2E" -e "$RUN" /proc/self/mountinfo)"
	echo "cgroups $(find /sys/fs/cgroup -type d -path "*/triton-$NAME/*" ! -name 'spare-*' 2>/dev/null | wc -l)"   # spare: the start pool's
	echo "links $(inside ip -o link | wc -l)"
	# The node's IPv6 table stays from its first network with IPv6 on, as the IPv4 one does from the start: only what is in its sets counts.
	echo "rules $(inside nft list ruleset 2>/dev/null | awk '/^table/ { six = $2 == "ip6" } !six || /elements/' | wc -l)"
	echo "processes $(instance_processes | wc -l)"
	echo "workloads $(namespace_processes | wc -l)"
	echo "root-file-systems $(ls "$DATA/fs/containers" 2>/dev/null | wc -l)"
	echo "container-directories $(ls "$DATA/containers" 2>/dev/null | wc -l)"
	echo "staging $(ls "$DATA/staging" 2>/dev/null | wc -l)"
	echo "trash $(ls "$DATA/fs/trash" 2>/dev/null | wc -l)"
	echo "shim-sockets $(ls "$RUN/shim" 2>/dev/null | wc -l)"
}

# That, and what the roles hold; without the state's events, which are kept for a while, and the segments of its log, of which there
# are more until the next snapshot.
holds_take() {
	local role pid rest
	counts_take
	while read -r role pid rest; do
		echo "descriptors-of-$role $(ls -l "/proc/$pid/fd" | grep -vc "$DATA/state/log/")"
	done <"$RUN/roles"
	echo "records $("$TRITON" state dump --run-dir "$RUN" | grep -c '^[^eqUYy ]')" # events and totals of usage come by themselves, addresses rest a minute
}

counts_compare() { # FILE [TAKER]: what there is more of than then
	local i
	for i in $(seq 30); do                            # what was removed is swept every 20 s
		"${2:-counts_take}" >"$E2E/counts.now"
		awk 'NR == FNR { was[$1] = $2; next } $2 > was[$1] { print $1 ": " was[$1] " before, " $2 " after" }' \
			"$1" "$E2E/counts.now" >"$E2E/counts.diff"
		[ -s "$E2E/counts.diff" ] || return 0
		sleep 1
	done
	cat "$E2E/counts.diff"
	for i in $(ls "$DATA/containers"); do             # whether the state knows it
		echo "container $i: $("$TRITON" state dump c/ --run-dir "$RUN" | grep "$i" | cut -c1-1500)"
	done
}

instance_left() {
	local pid
	for pid in $(instance_processes); do echo "process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline")"; done
	for pid in $(namespace_processes); do echo "workload $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline")"; done
	grep -e "$E2E" -e "$RUN" /proc/self/mountinfo
	find /sys/fs/cgroup -mindepth 2 -type d -path "*$NAME*" 2>/dev/null
}

instance_stop() {
	serve_stop
	[ -s "$E2E/registry/pid" ] && kill "$(cat "$E2E/registry/pid")" 2>/dev/null
	[ -s "$E2E/www.pid" ] && kill "$(cat "$E2E/www.pid")" 2>/dev/null
	rm -f "$E2E/registry/pid" "$E2E/www.pid"
}

# Whatever happened before: end it all.
instance_destroy() {
	local pid
	instance_stop
	for pid in $(instance_processes) $(namespace_processes); do kill -KILL "$pid" 2>/dev/null; done
	for pid in $(ip netns pids "$NS" 2>/dev/null) $(ip netns pids "$OUT" 2>/dev/null); do
		[ "$pid" = $$ ] || kill -KILL "$pid" 2>/dev/null
	done
	sleep 0.2
	grep -e "$E2E" -e "$RUN" /proc/self/mountinfo | cut -d' ' -f5 | tac | xargs -r -n1 umount -l
	find /sys/fs/cgroup -depth -type d -path "*$NAME*" -exec rmdir {} + 2>/dev/null
	ip netns del "$NS" 2>/dev/null
	ip netns del "$OUT" 2>/dev/null
}
