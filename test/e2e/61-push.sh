# docker push: to a real registry, and to one that says what it was asked (token-registry.py).

login() { mkdir -p "$TMP/config"; printf '{"auths":{"%s":{"auth":"%s"}}}' "${2:-$REGISTRY}" "$(printf %s "${1:-pusher:secret}" | base64 -w0)" >"$TMP/config/config.json"; export DOCKER_CONFIG=$TMP/config; }
make_image() { # NAME: one layer of its own, uncompressed, on nothing
	head -c 300000 /dev/urandom | base64 >"$TMP/unique"
	tar -cf "$TMP/image.tar" -C "$TMP" unique
	docker import -c 'CMD ["sh"]' "$TMP/image.tar" "$1" >/dev/null
}
put() { # KIND NAME: an image that others made, straight into the registry; prints its digest
	cp "$E2E/busybox.tar" "$TMP/put.tar"
	head -c 16 /dev/urandom >"$TMP/unique"
	tar -rf "$TMP/put.tar" -C "$TMP" unique
	python3 test/e2e/images.py push "https://$REGISTRY" "$E2E/registry/ca.crt" pusher:secret "$TMP/put.tar" "$@"
}
digest_of() { sed -n 's/.*: digest: \(sha256:[0-9a-f]*\) size: [0-9]*$/\1/p'; }

test_push_and_pull_back() {
	need_registry
	local image=$REGISTRY/push/made id layer first
	make_image "$image:1"
	id=$(docker image inspect -f '{{.Id}}' "$image:1")
	layer=$(docker image inspect -f '{{index .RootFS.Layers 0}}' "$image:1")
	login
	out=$(docker push "$image:1")
	has "$out" "The push refers to repository \[$image\]"
	has "$out" "${layer:7:12}: Preparing"
	has "$out" "${layer:7:12}: Pushed"
	first=$(digest_of <<<"$out")
	has "$out" "1: digest: $first size: "
	has "$(docker images --digests "$image")" "$first"
	out=$(docker push "$image:1")
	has "$out" "${layer:7:12}: Layer already exists"
	is "$(digest_of <<<"$out")" "$first" "the digest of the second push"
	docker rmi "$image:1" >/dev/null
	exits 1 docker image inspect "$id"
	has "$(docker pull "$image:1")" "Digest: $first"
	is "$(docker image inspect -f '{{.Id}}' "$image:1")" "$id"
	docker rmi "$image:1" >/dev/null
}

test_push_of_what_was_pulled_keeps_its_digest() {
	need_registry
	local kind digest image=$REGISTRY/push/again
	login
	for kind in docker oci oci-zstd; do
		[ $kind != oci-zstd ] || command -v zstd >/dev/null || continue
		digest=$(put $kind "push/orig-$kind:1")
		docker pull -q "$REGISTRY/push/orig-$kind:1" >/dev/null
		docker tag "$REGISTRY/push/orig-$kind:1" "$image:$kind"
		out=$(docker push "$image:$kind")
		has "$out" "Mounted from push/orig-$kind"
		is "$(digest_of <<<"$out")" "$digest" "$kind"
		docker rmi "$REGISTRY/push/orig-$kind:1" "$image:$kind" >/dev/null
	done
}

test_push_of_one_platform_of_a_list() {
	need_registry
	login
	put list push/list:1 >/dev/null
	docker pull -q "$REGISTRY/push/list:1" >/dev/null
	docker tag "$REGISTRY/push/list:1" "$REGISTRY/push/single:1"
	docker push -q "$REGISTRY/push/single:1" >/dev/null
	docker rmi "$REGISTRY/push/list:1" "$REGISTRY/push/single:1" >/dev/null
	docker pull -q "$REGISTRY/push/single:1" >/dev/null
	is "$(docker run --rm "$REGISTRY/push/single:1" echo whole)" whole
	docker rmi "$REGISTRY/push/single:1" >/dev/null
}

test_push_of_a_commit_adds_a_layer() {
	need_registry
	local image=$REGISTRY/push/grown
	docker run --name grows busybox sh -c 'echo grown >/added'
	docker commit grows "$image:1" >/dev/null
	docker rm grows >/dev/null
	login
	docker push -q "$image:1" >/dev/null
	docker rmi "$image:1" >/dev/null
	is "$(docker run --rm "$image:1" cat /added 2>/dev/null)" grown
	docker rmi "$image:1" >/dev/null
}

test_push_all_tags() {
	need_registry
	local image=$REGISTRY/push/tags
	make_image "$image:a"
	docker tag "$image:a" "$image:b"
	login
	out=$(docker push --all-tags "$image")
	has "$out" "a: digest: sha256:"
	has "$out" "b: digest: sha256:"
	docker rmi "$image:a" "$image:b" >/dev/null
	docker pull -q "$image:b" >/dev/null
	docker rmi "$image:b" >/dev/null
}

test_pull_all_tags() {
	need_registry
	local image=$REGISTRY/push/many i out
	login
	make_image "$image:1"
	for i in $(seq 2 20); do docker tag "$image:1" "$image:$i"; done
	docker push -q --all-tags "$image" >/dev/null
	for i in $(seq 20); do docker rmi "$image:$i" >/dev/null; done
	out=$(docker pull -a "$image")
	has "$out" "7: Pulling from push/many"
	has "$out" "Status: Downloaded newer image for $image"
	is "$(docker image ls -q "$image" | wc -l)" 20
	refused "push/nothing" docker pull -a "$REGISTRY/push/nothing"
	for i in $(seq 20); do docker rmi "$image:$i" >/dev/null; done
}

test_push_is_an_event_and_speaks_to_programs() {
	need_registry
	local image=$REGISTRY/push/event since
	make_image "$image:1"
	since=$(date +%s)
	login
	docker push -q "$image:1" >/dev/null
	has "$(docker events --since "$since" --until "$(($(date +%s) + 1))" --filter type=image --filter event=push)" "image push $image:1"
	api POST "/images/$image/push?tag=1" -H "X-Registry-Auth: $(printf '{"username":"pusher","password":"secret"}' | base64 -w0)" >"$TMP/lines"
	is "$(jq -r 'select(.aux) | .aux.Tag' "$TMP/lines")" 1
	has "$(jq -r 'select(.aux) | .aux.Digest' "$TMP/lines")" sha256:
	docker rmi "$image:1" >/dev/null
}

test_push_refusals() {
	need_registry
	local image=$REGISTRY/push/no
	refused "tag does not exist: $image:latest" docker push "$image"
	refused "does not exist locally with the tag: $image" docker push -a "$image"
	docker tag busybox "$image:1"
	refused "no basic auth credentials" docker push "$image:1"
	login pusher:wrong
	refused "incorrect username or password" docker push "$image:1"
	login
	refused "does not match the specified platform" docker push --platform linux/s390x "$image:1"
	refused "tag does not exist" as other docker push "$image:1"
	api_refused 400 "X-Registry-Auth" POST "/images/$image/push?tag=1" -H 'X-Registry-Auth: !!!'
	docker rmi "$image:1" >/dev/null
	docker tag busybox 127.0.0.1:1/x/y:1
	refused "127.0.0.1:1" docker push 127.0.0.1:1/x/y:1
	docker rmi 127.0.0.1:1/x/y:1 >/dev/null
}

# --- a registry with tokens ---------------------------------------------------------------------------

FAKE=127.0.0.1:25446
token_registry() { # BEHAVIOUR
	python3 test/e2e/token-registry.py "${FAKE#*:}" "$1" >"$TMP/requests" 2>&1 &
	echo $! >"$TMP/fake.pid"
	trap 'kill $(cat "$TMP/fake.pid") 2>/dev/null; rm -rf "$TMP"' EXIT
	wait_for 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/${FAKE#*:}"
	login pusher:secret $FAKE
	make_image $FAKE/a/b:1
}

test_push_with_tokens_and_a_mount() {
	token_registry good
	has "$(docker push $FAKE/a/b:1)" ": Pushed"
	has "$(cat "$TMP/requests")" "GET /token?service=here&scope=repository%3Aa/b%3Apull%2Cpush"
	docker tag $FAKE/a/b:1 $FAKE/c/d:1
	: >"$TMP/requests"
	has "$(docker push $FAKE/c/d:1)" "Mounted from a/b"
	has "$(cat "$TMP/requests")" "&scope=repository%3Aa/b%3Apull&"
	is "$(grep -c "^PUT /v2/c/d/blobs" "$TMP/requests")" 1 "uploads besides the config's"
	docker rmi $FAKE/a/b:1 $FAKE/c/d:1 >/dev/null
}

test_push_credentials_stay_with_the_registry() {
	token_registry elsewhere
	docker push -q $FAKE/a/b:1 >/dev/null
	is "$(grep "^PUT .*/uploads/" "$TMP/requests" | awk '{ print $3 }' | sort -u)" none "authorization at the other server"
	docker rmi $FAKE/a/b:1 >/dev/null
}

test_push_denied_and_cut_off() {
	token_registry denied
	refused "denied: requested access to the resource is denied" docker push $FAKE/a/b:1
	kill "$(cat "$TMP/fake.pid")"
	wait "$(cat "$TMP/fake.pid")" || true                              # it has threads: a dead one may still have the port
	token_registry full
	refused "507" timeout 30 docker push $FAKE/a/b:1
	docker rmi $FAKE/a/b:1 >/dev/null
	is "$(ls "$DATA/staging" | wc -l)" 0 "files left in staging"
}

test_push_tries_again() {
	token_registry again
	has "$(docker push $FAKE/a/b:1)" ": Pushed"
	docker rmi $FAKE/a/b:1 >/dev/null
}

# --- what is asked without taking anything --------------------------------------------------------------

test_search() {
	token_registry good
	out=$(docker search --no-trunc $FAKE/box)
	has "$out" "box-4"
	has "$out" "number 4 of äll"
	is "$(docker search --format '{{.Name}} {{.StarCount}} {{.IsOfficial}}' --filter is-official=true $FAKE/box)" "box-3 30 [OK]"
	is "$(docker search --format '{{.Name}}' --filter stars=30 $FAKE/box | xargs)" "box-3 box-4"
	is "$(docker search --format '{{.Name}}' --limit 2 $FAKE/box | xargs)" "box-0 box-1"
	has "$(cat "$TMP/requests")" "GET /v1/search?q=box&n=2 none"
	docker rmi $FAKE/a/b:1 >/dev/null
}

test_search_refusals() {
	api_refused 400 "outside the range of" GET "/images/search?term=x&limit=101"
	api_refused 400 "limit" GET "/images/search?term=x&limit=many"
	api_refused 400 "needs a term" GET "/images/search"
	api_refused 400 "stars" GET "/images/search?term=x&filters=%7B%22stars%22%3A%5B%22many%22%5D%7D"
	api_refused 400 "nonsense" GET "/images/search?term=x&filters=%7B%22nonsense%22%3A%5B%22many%22%5D%7D"
	api_refused 400 "invalid registry address" GET "/images/search?term=a..b/x"
	refused "registry 127.0.0.1:1" docker search 127.0.0.1:1/x
	refused "index.docker.io" timeout 30 docker search busybox
}

test_manifest_inspect_and_distribution() {
	need_registry
	local digest listed auth
	digest=$(put docker push/seen:1)
	listed=$(put list push/seen:list)
	login
	has "$(docker manifest inspect --insecure "$REGISTRY/push/seen:1")" '"mediaType": "application/vnd.docker.distribution.manifest.v2+json"'
	has "$(docker manifest inspect --insecure "$REGISTRY/push/seen:list")" '"architecture": "arm64"'
	auth="X-Registry-Auth: $(printf '{"username":"pusher","password":"secret"}' | base64 -w0)"
	api GET "/distribution/$REGISTRY/push/seen:1/json" -H "$auth" >"$TMP/seen"
	is "$(jq -r .Descriptor.digest "$TMP/seen")" "$digest"
	is "$(jq -r '.Platforms[0].architecture + " " + .Platforms[0].os' "$TMP/seen")" "$(dpkg --print-architecture) linux"
	api GET "/distribution/$REGISTRY/push/seen:list/json" -H "$auth" >"$TMP/seen"
	is "$(jq -r .Descriptor.digest "$TMP/seen")" "$listed"
	is "$(jq -r '.Platforms | map(.architecture) | sort | join(" ")' "$TMP/seen")" "amd64 arm64"
	api_refused 404 "not found" GET "/distribution/$REGISTRY/push/seen:2/json" -H "$auth"
	api_refused 401 "incorrect username or password" GET "/distribution/$REGISTRY/push/seen:1/json" \
		-H "X-Registry-Auth: $(printf '{"username":"pusher","password":"wrong"}' | base64 -w0)"
	refused "" docker image inspect "$REGISTRY/push/seen:1"
}
