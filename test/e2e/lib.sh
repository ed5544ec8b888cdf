# What every test has at hand: docker as account `me` over TLS, checks that say both sides, raw requests. Each test is one
# bash in the namespace `inside`; any command that fails ends it.
set -euE -o pipefail
. test/e2e/instance.sh

export HOME=$E2E/home DOCKER_CONFIG=$E2E/docker DOCKER_HOST=tcp://$DOCKER_ADDR DOCKER_TLS_VERIFY=1
export DOCKER_CERT_PATH=$HOME/.triton/docker/me
export DOCKER_CLI_HINTS=false
unset SSH_AUTH_SOCK DOCKER_CONTEXT

trap 'echo "failed: line $LINENO of ${BASH_SOURCE[0]##*/}: $BASH_COMMAND"' ERR

inside() { "$@"; }                                        # we are there already
TMP=$(mktemp -d "$E2E/tmp.XXXXXX")
trap 'rm -rf "$TMP"' EXIT

fail() { echo "$*"; exit 1; }
skip() { echo "SKIP: $*"; exit 77; }

is() { # GOT WANTED [WHAT]
	[ "$1" = "$2" ] || fail "${3:-value}: got $(printf %q "$1"), wanted $(printf %q "$2")"
}

has() { # TEXT PART: * and ? are patterns
	case $1 in *$2*) ;; *) fail "got: $1"$'\n'"without: $2" ;; esac
}

has_not() {
	case $1 in *$2*) fail "got: $1"$'\n'"with: $2" ;; esac
}

# Run a command that must end with this status; its output (both) is in $out.
exits() { # STATUS COMMAND...
	local want=$1 got=0
	shift
	out=$("$@" 2>&1 </dev/null) || got=$?
	[ "$got" = "$want" ] || fail "$*: status $got, wanted $want; it said: $out"
}

# The same for one that must fail with a sentence.
refused() { # PART-OF-SENTENCE COMMAND...
	local part=$1 got=0
	shift
	out=$("$@" 2>&1 </dev/null) || got=$?
	[ "$got" != 0 ] || fail "$*: succeeded, and said: $out"
	has "$out" "$part"
}

# Limits of time, but for those with options, are for a machine of full speed.
timeout() { # SECONDS COMMAND...
	case $1 in [0-9]*) set -- $(($1 * ${E2E_SLOW:-1})) "${@:2}" ;; esac
	command timeout "$@"
}

curl_as() { # LOGIN ARGS...
	local certs=$HOME/.triton/docker/$1
	shift
	curl -sS -m $((20 * ${E2E_SLOW:-1})) --cacert "$certs/ca.pem" --cert "$certs/cert.pem" --key "$certs/key.pem" "$@"
}

# Docker API as `me`: body on stdout.
api() { # METHOD PATH [CURL ARGS...]
	curl_as me -X "$1" "https://$DOCKER_ADDR$2" -H 'Content-Type: application/json' "${@:3}"
}

# Only the status; the body is in $TMP/body.
api_status() { # METHOD PATH [CURL ARGS...]
	api "$@" -o "$TMP/body" -w '%{http_code}'
}

# A request that must be answered with this status and a sentence ({"message"}) with this part.
api_refused() { # STATUS PART METHOD PATH [CURL ARGS...]
	local got
	got=$(api_status "${@:3}")
	[ "$got" = "$1" ] || fail "$3 $4: status $got, wanted $1; body: $(head -c 300 "$TMP/body")"
	[ "$1" -lt 400 ] || has "$(jq -r .message "$TMP/body")" "$2"
}

# Raw bytes (printf escapes) to the unix socket; prints the statuses of all answers and whether the connection was closed:
# "400 closed", "200 200 open".
raw() { python3 test/e2e/raw.py "$RUN/docker.sock" "$1" "${@:2}"; }

inspect() { docker inspect -f "$2" "$1"; }                # NAME FORMAT
parent_of() { awk '/^PPid:/ { print $2 }' "/proc/$1/status"; } # PID
shim_of() { parent_of "$(inspect "$1" '{{.State.Pid}}')"; } # NAME
run() { docker run --rm busybox "$@"; }                   # in a container that goes again

wait_for() { # SECONDS COMMAND...
	until_ok "$@" || fail "not within $1 s: ${*:2}"
}

# A program is ready when it says so: a signal before its trap is set would end it.
ready() { wait_for 20 says_ready "$1"; }                  # NAME
says_ready() { docker logs "$1" 2>&1 | grep -qx ready; }

# Of the data directory, where files may go meanwhile.
find_data() { find "$DATA" "$@" 2>/dev/null || true; }
disk_used() { { du -sk "$1" 2>/dev/null || true; } | cut -f 1; }         # KiB

role_pid() { awk -v role="$1" '$1 == role { print $2 }' "$RUN/roles"; }

need_debian() {
	[ ! -e "$E2E/debian.missing" ] || skip "$(cat "$E2E/debian.missing")"
	docker image inspect debian >/dev/null 2>&1 || docker import "$ROOT/build/cache/debian-rootfs.tar" debian >/dev/null
}

need_registry() { [ ! -e "$E2E/registry.missing" ] || skip "docker-registry is not there"; }
