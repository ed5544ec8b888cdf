# What every run of several nodes begins with: what it needs, a place of its own, and that all of it goes again.

BINARY=${TRITON_BINARY:-$ROOT/build/triton}

skip_all() {
	echo "skip all $1"
	exit 0
}
[ "$(id -u)" = 0 ] || skip_all "needs root"
for tool in docker curl jq busybox ip nsenter strace openssl ssh-keygen; do
	command -v "$tool" >/dev/null || skip_all "there is no $tool (packaging/deps test installs it)"
done
[ -c /dev/net/tun ] || skip_all "there is no /dev/net/tun for the wire between the nodes"
for it in link check clients; do [ -x build/harness/$it ] || { echo "# there is no build/harness/$it; run make harness"; echo "not ok start"; exit 1; }; done
[ -x "$BINARY" ] || { echo "# there is no $BINARY; run make"; echo "not ok start"; exit 1; }
ip netns add "triton-cl-probe-$$" 2>/dev/null || skip_all "network namespaces cannot be made here"
ip netns del "triton-cl-probe-$$"

mkdir -p build/cluster
C=$(mktemp -d "$ROOT/build/cluster/XXXXXX")
RUN=$(mktemp -d /tmp/triton-cl.XXXXXX)
chmod 711 "$C" "$RUN"
NS=triton-cl-$$
UID_BASE=$((300000 + $$ % 50000 * 8))
TRITON=$C/triton
cp "$BINARY" "$TRITON"
. test/cluster/lib.sh

cleanup() {
	trap - EXIT INT TERM
	[ "${CLUSTER_KEEP:-}" ] && { echo "# kept: $C $RUN, network namespaces $NS-*"; return; }
	cluster_destroy
	rm -rf "$C" "$RUN"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
