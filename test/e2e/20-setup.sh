# triton setup: every kind of key and file, what can be wrong, both forms of certificates.

setup() { # HOME-SUFFIX ARGS...
	local home=$TMP/$1
	mkdir -p "$home"
	HOME=$home "$TRITON" setup "${@:2}" </dev/null
}

with_account() { # LOGIN PUBLIC-KEY-FILE
	"$TRITON" account add "$1" --key "$2" --run-dir "$RUN" >/dev/null
	trap '"$TRITON" account rm '"$1"' --run-dir "$RUN" >/dev/null; rm -rf "$TMP"' EXIT
}

works_with() { # NAME KEY
	local text
	with_account kim "$2.pub"
	text=$(setup home -k "$2" --account kim "$(cloud_url)")
	has "$text" "Setting up Docker client for triton"
	has "$text" "Success"
	has "$text" "DOCKER_HOST=tcp://$DOCKER_ADDR"
	is "$(stat -c %a "$TMP/home/.triton/docker/kim/key.pem")" 600
	exits 0 env DOCKER_CERT_PATH="$TMP/home/.triton/docker/kim" docker ps
	exits 0 bash -c ". '$TMP/home/.triton/docker/kim/env.sh'; docker version"
	grep -q 'BEGIN EC PRIVATE\|BEGIN PRIVATE' "$TMP/home/.triton/docker/kim/key.pem"
	! cmp -s "$2" "$TMP/home/.triton/docker/kim/key.pem" || fail "the SSH key was copied"
}

test_rsa_openssh_format() { ssh-keygen -q -t rsa -b 2048 -N '' -f "$TMP/k"; works_with rsa "$TMP/k"; }
test_rsa_pem_format() { ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f "$TMP/k"; works_with rsa "$TMP/k"; }
test_rsa_pkcs8_format() { ssh-keygen -q -t rsa -b 2048 -m PKCS8 -N '' -f "$TMP/k"; works_with rsa "$TMP/k"; }
test_ecdsa_openssh_format() { ssh-keygen -q -t ecdsa -N '' -f "$TMP/k"; works_with ecdsa "$TMP/k"; }
test_ecdsa_pem_format() { ssh-keygen -q -t ecdsa -m PEM -N '' -f "$TMP/k"; works_with ecdsa "$TMP/k"; }
test_ecdsa_384() { ssh-keygen -q -t ecdsa -b 384 -N '' -f "$TMP/k"; works_with ecdsa "$TMP/k"; }
test_ed25519_openssh_format() { ssh-keygen -q -t ed25519 -N '' -f "$TMP/k"; works_with ed25519 "$TMP/k"; }

test_an_agent_signs_for_a_public_key_file_and_for_a_fingerprint() {
	local print
	ssh-keygen -q -t ed25519 -N '' -f "$TMP/k"
	with_account kim "$TMP/k.pub"
	eval "$(ssh-agent -a "$RUN/agent.$$")" >/dev/null
	trap 'kill $SSH_AGENT_PID; "$TRITON" account rm kim --run-dir "$RUN" >/dev/null; rm -rf "$TMP"' EXIT
	ssh-add -q "$TMP/k"
	mv "$TMP/k" "$TMP/gone"
	has "$(setup one -k "$TMP/k.pub" --account kim "$(cloud_url)")" Success
	print=$(ssh-keygen -l -E md5 -f "$TMP/k.pub" | sed 's/.*MD5:\([^ ]*\).*/\1/')
	has "$(setup two -k "$print" --account kim "$(cloud_url)")" Success
	exits 0 env DOCKER_CERT_PATH="$TMP/two/.triton/docker/kim" docker ps
}

# A terminal for the passphrase: python's pty.
with_terminal() { # WHAT-TO-TYPE COMMAND...
	python3 - "$@" <<'END'
import os, pty, sys
typed, command = sys.argv[1], sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
out = b""
sent = False
while True:
    try:
        piece = os.read(fd, 4096)
    except OSError:
        break
    if not piece:
        break
    out += piece
    if not sent and b"assphrase" in out:
        os.write(fd, typed.encode() + b"\n")
        sent = True
sys.stdout.write(out.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
}

test_a_passphrase_is_asked_for_and_not_shown() {
	local text
	ssh-keygen -q -t ed25519 -N 'open sesame' -f "$TMP/k"
	with_account kim "$TMP/k.pub"
	mkdir -p "$TMP/home"
	text=$(HOME=$TMP/home with_terminal "open sesame" "$TRITON" setup -k "$TMP/k" --account kim "$(cloud_url)")
	has "$text" Success
	has_not "$text" sesame
	HOME=$TMP/home exits 1 with_terminal "wrong" "$TRITON" setup -k "$TMP/k" --account kim "$(cloud_url)"
	has "$out" assphrase
}

test_what_is_wrong_is_one_sentence_and_leaves_nothing() {
	local url
	url=$(cloud_url)
	ssh-keygen -q -t ed25519 -N '' -f "$TMP/k"
	echo "no key at all" >"$TMP/bad"
	wrong() { # PART ARGS...
		local part=$1
		shift
		exits 1 setup home "$@"
		has "$out" "$part"
		is "$(find "$TMP/home" -type f)" "" "files left by setup $*"
	}
	wrong "" -k "$TMP/none" --account me "$url"
	wrong "" -k "$TMP/bad" --account me "$url"
	wrong "" -k "$TMP/k" --account me "$url"                      # the key is on no account
	wrong "" -k "$TMP/k" --account nobody1 "$url"
	wrong "" -k "$E2E/keys/me" --account me "https://127.0.0.1:1#sha256:00"
	wrong "" -k "$E2E/keys/me" --account me "ftp://x/"
	wrong "" -k "$E2E/keys/me" --account me "https://$CLOUD_ADDR#sha256:$(printf '0%.0s' {1..64})"
	wrong "" -k "$E2E/keys/me" --account me "https://$CLOUD_ADDR"  # nothing pinned, nobody to ask
	exits 2 setup home --nonsense
}

# form (a): self-signed, the key of the certificate is the account's
test_a_self_signed_certificate_with_the_account_key_is_accepted() {
	ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f "$TMP/k"
	with_account kim "$TMP/k.pub"
	openssl req -x509 -key "$TMP/k" -subj /CN=kim -days 2 -out "$TMP/cert.pem" 2>/dev/null
	is "$(curl -sS --cacert "$DOCKER_CERT_PATH/ca.pem" --cert "$TMP/cert.pem" --key "$TMP/k" "https://$DOCKER_ADDR/info" | jq -r .Name)" e2e
}

# form (b)
test_the_certificate_that_setup_makes_is_as_documented() {
	local text
	text=$(openssl x509 -in "$DOCKER_CERT_PATH/cert.pem" -noout -text)
	has "$text" "MD5:"
	has "$text" "Subject: CN = me"
	has "$text" "TLS Web Client Authentication"
	has "$text" "1.3.6.1.4.1.38678.1.4.1"
	has "$text" prime256v1
}

test_foreign_certificates_are_refused() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$TMP/k.pem" -out "$TMP/c.pem" -subj /CN=me -days 2 2>/dev/null
	is "$(curl -sS --cacert "$DOCKER_CERT_PATH/ca.pem" --cert "$TMP/c.pem" --key "$TMP/k.pem" -o /dev/null -w '%{http_code}' "https://$DOCKER_ADDR/info")" 401
}

test_env_prints_exports_for_every_shell() {
	has "$("$TRITON" env sh --account me)" "export DOCKER_HOST="
	exits 0 sh -c 'eval "$("$1" env sh --account me)"; docker ps' sh "$TRITON"
	has "$("$TRITON" env fish --account me)" "set -gx DOCKER_HOST"
	has "$("$TRITON" env csh --account me)" "setenv DOCKER_HOST"
	has "$("$TRITON" env sh --unset)" "unset DOCKER_HOST"
}

test_cloudapi_answers_signed_requests() {
	local date sig key=$TMP/k base="https://$CLOUD_ADDR"
	ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f "$key"
	with_account kim "$key.pub"
	is "$(curl -sS --cacert "$DOCKER_CERT_PATH/ca.pem" "$base/--ping" | jq -r .ping)" pong
	signed() { # PATH KEYID HEADERS-FORM [DATE]
		date=${4:-$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S GMT')}
		case $3 in
		draft) sig=$(printf '(request-target): get %s\ndate: %s' "$1" "$date") extra='headers="(request-target) date",signature=' ;;
		date) sig="date: $date" extra='headers="date",signature=' ;;
		bare) sig=$date ;;
		esac
		sig=$(printf %s "$sig" | openssl dgst -sha256 -sign "$key" | base64 -w0)
		if [ "$3" = bare ]; then
			auth="Signature keyId=\"$2\",algorithm=\"rsa-sha256\" $sig"
		else
			auth="Signature keyId=\"$2\",algorithm=\"rsa-sha256\",$extra\"$sig\""
		fi
		printf 'Date: %s\nAuthorization: %s\n' "$date" "$auth" >"$TMP/signed"
		curl -sS --cacert "$DOCKER_CERT_PATH/ca.pem" -o "$TMP/body" -w '%{http_code}' -H "@$TMP/signed" "$base$1"
	}
	local print id form
	print=$(ssh-keygen -l -E md5 -f "$key.pub" | sed 's/.*MD5:\([^ ]*\).*/\1/')
	id=/kim/keys/$print
	for form in draft date bare; do
		is "$(signed /kim "$id" $form)" 200 "form $form"
		is "$(jq -r .login "$TMP/body")" kim
	done
	is "$(signed /kim/services "$id" draft)" 200
	has "$(jq -r .docker "$TMP/body")" "tcp://$DOCKER_ADDR"
	is "$(signed /my "${print}" draft)" 200 "the key alone tells the account"
	is "$(signed /kim/keys "$id" draft)" 200
	is "$(jq -r '.[0].fingerprint' "$TMP/body")" "$print"
	is "$(signed "/kim/keys/$print" "$id" draft)" 200
	is "$(signed /kim/packages/t4-standard-1G "$id" draft)" 200
	is "$(jq -r .memory "$TMP/body")" 1024
	is "$(signed /kim/datacenters "$id" draft)" 200
	# H27
	is "$(signed /kim "$id" draft "$(LC_ALL=C date -u -d '-400 seconds' '+%a, %d %b %Y %H:%M:%S GMT')")" 401
	is "$(signed /me "$id" draft)" 404                  # as every object of another account
	is "$(signed /kim /me/keys/$print draft)" 401
	is "$(curl -sS --cacert "$DOCKER_CERT_PATH/ca.pem" -o /dev/null -w '%{http_code}' "$base/kim")" 401
	signed /kim/services "$id" draft >/dev/null           # not in a subshell: $date and $auth are used below
	is "$(curl -sS --cacert "$DOCKER_CERT_PATH/ca.pem" -o /dev/null -w '%{http_code}' -H "Date: $date" \
		-H "Authorization: $auth" "$base/kim")" 401 "signature over another path"
	is "$(curl -sS --cacert "$DOCKER_CERT_PATH/ca.pem" -o "$TMP/again" -w '%{http_code}' -H "Date: $date" \
		-H "Authorization: $auth" "$base/kim/services")" 401 "the same request again"
	has "$(cat "$TMP/again")" "Invalid authorization credentials supplied"
}
