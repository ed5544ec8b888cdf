# Images: import, load, pull from a real registry, tags, removal. Hostile ones are in 80-archives.sh.

test_import_and_run() {
	docker import -c 'CMD ["echo","from import"]' -c 'LABEL made=here' -m message "$E2E/busybox.tar" imported:v1 >/dev/null
	is "$(docker run --rm imported:v1)" "from import"
	is "$(docker image inspect -f '{{.Config.Labels.made}} {{.Os}}' imported:v1)" "here linux"
	gzip -c "$E2E/busybox.tar" | docker import - imported:gz >/dev/null
	is "$(docker run --rm imported:gz echo zipped)" zipped
	docker rmi imported:v1 imported:gz >/dev/null
}

test_archives_of_xz_and_bzip2_are_imported_and_loaded() {
	xz -0 -c "$E2E/busybox.tar" | docker import - imported:xz >/dev/null
	is "$(docker run --rm imported:xz echo from xz)" "from xz"
	docker save imported:xz >"$TMP/saved.tar"
	tar -C "$TMP" -xf "$TMP/saved.tar"
	cmp "$TMP/$(jq -r '.[0].Layers[0]' "$TMP/manifest.json")" "$E2E/busybox.tar"  # a layer is kept as a tar or as images have it
	docker rmi imported:xz >/dev/null
	has "$(xz -0 -c "$TMP/saved.tar" | docker load)" "Loaded image: imported:xz"
	docker rmi imported:xz >/dev/null
	has "$(bzip2 -1 -c "$TMP/saved.tar" | docker load)" "Loaded image: imported:xz"
	is "$(docker run --rm imported:xz echo from bzip2)" "from bzip2"
	docker rmi imported:xz >/dev/null
	xz -0 -c "$E2E/busybox.tar" >"$TMP/all.xz"
	head -c -20 "$TMP/all.xz" >"$TMP/cut.xz"
	refused "xz: ends early" docker import "$TMP/cut.xz" imported:xz
}

# An archive of `docker save`: manifest.json with layers.
make_saved() { # DIR NAME: from layers in DIR/*.tar, in order
	python3 test/e2e/images.py save "$1" "$2"
}

test_load_of_two_layers() {
	mkdir -p "$TMP/l/one/etc" "$TMP/l/two/etc"
	cp "$E2E/busybox.tar" "$TMP/l/1.tar"
	echo upper >"$TMP/l/two/etc/added"
	: >"$TMP/l/two/etc/.wh.group"
	tar -C "$TMP/l/two" --owner=0 --group=0 -cf "$TMP/l/2.tar" etc
	make_saved "$TMP/l" loaded:two >"$TMP/saved.tar"
	has "$(docker load -i "$TMP/saved.tar")" "Loaded image: loaded:two"
	is "$(docker run --rm loaded:two cat /etc/added)" upper
	exits 1 docker run --rm loaded:two test -e /etc/group
	is "$(docker run --rm loaded:two head -1 /etc/passwd)" "root:x:0:0:root:/root:/bin/sh"
	is "$(docker history -q loaded:two | wc -l)" 2
	docker rmi loaded:two >/dev/null
}

test_save_and_load_again() {
	docker import -c 'CMD ["echo","was saved"]' "$E2E/busybox.tar" saved:v1 >/dev/null
	docker tag saved:v1 saved:v2
	docker save saved:v1 saved:v2 >"$TMP/saved.tar"
	has "$(tar -tf "$TMP/saved.tar")" manifest.json
	docker rmi saved:v1 saved:v2 >/dev/null
	has "$(docker load <"$TMP/saved.tar")" "Loaded image: saved:v2"
	is "$(docker run --rm saved:v1)" "was saved"
	docker rmi saved:v1 saved:v2 >/dev/null
	refused "No such image" docker save nosuch:v1 -o "$TMP/none.tar"
}

test_tags_references_and_removal() {
	local id
	id=$(docker image inspect -f '{{.Id}}' busybox)
	docker tag busybox example.org/me/box:v1
	has "$(docker images --format '{{.Repository}}:{{.Tag}}')" "example.org/me/box:v1"
	is "$(docker image inspect -f '{{.Id}}' example.org/me/box:v1)" "$id"
	has "$(docker rmi example.org/me/box:v1)" "Untagged: example.org/me/box:v1"
	is "$(docker image inspect -f '{{.Id}}' busybox)" "$id"
	is "$(docker images -q --no-trunc busybox)" "$id"
	is "$(docker images -q --filter reference='busy*' --no-trunc)" "$id"
	refused "No such image" docker rmi nosuch
	refused "invalid reference format" docker tag busybox 'BAD'
	docker create --name holds busybox >/dev/null
	refused "container" docker rmi "$id"
	docker rm holds >/dev/null
}

test_image_prune_keeps_what_has_a_name() {
	local id
	id=$(printf x | tar -cf - -C "$E2E" busybox.tar --transform 's/.*/f/' | docker import -)
	has "$(docker image prune -f)" "Total reclaimed space"
	refused "No such image" docker image inspect "$id"
	exits 0 docker image inspect busybox
}

test_images_belong_to_accounts() {
	docker tag busybox private:x
	refused "No such image" as other docker image inspect private:x
	docker rmi private:x >/dev/null
}

test_a_debian_root_file_system() {
	need_debian
	has "$(docker run --rm debian cat /etc/os-release)" bookworm
	is "$(docker run --rm debian bash -c 'apt-get --version >/dev/null && id -u nobody')" 65534
	is "$(docker run --rm debian sh -c 'stat -c %a /usr/bin/passwd; stat -c %U /etc/shadow; stat -c %G /etc/shadow' | xargs)" "4755 root shadow"
	is "$(docker run --rm debian dpkg -S /bin/bash)" "bash: /bin/bash"
	exits 0 docker run --rm -u nobody debian perl -e 'exit 0'
}

# --- a registry ----------------------------------------------------------------------------------------

push() { # KIND NAME [ARGS...]: make an image of busybox, with a layer that no other image has, and put it there
	cp "$E2E/busybox.tar" "$TMP/push.tar"
	head -c 16 /dev/urandom >"$TMP/unique"
	tar -rf "$TMP/push.tar" -C "$TMP" unique
	python3 test/e2e/images.py push "https://$REGISTRY" "$E2E/registry/ca.crt" pusher:secret "$TMP/push.tar" "$@"
}

login() { mkdir -p "$TMP/config"; printf '{"auths":{"%s":{"auth":"%s"}}}' "$REGISTRY" "$(printf %s "${1:-pusher:secret}" | base64 -w0)" >"$TMP/config/config.json"; export DOCKER_CONFIG=$TMP/config; }

test_pull_docker_manifest_with_gzip() {
	need_registry
	push docker test/gzip:1
	login
	has "$(docker pull "$REGISTRY/test/gzip:1")" "Status: Downloaded newer image"
	is "$(docker run --rm "$REGISTRY/test/gzip:1" echo pulled)" pulled
	has "$(docker pull "$REGISTRY/test/gzip:1")" "Image is up to date"
	has "$(docker images --digests "$REGISTRY/test/gzip")" sha256:
	docker rmi "$REGISTRY/test/gzip:1" >/dev/null
}

test_pull_oci_manifest_with_zstd() {
	need_registry
	command -v zstd >/dev/null || skip "there is no zstd"
	push oci-zstd test/zstd:1
	login
	docker pull -q "$REGISTRY/test/zstd:1" >/dev/null
	is "$(docker run --rm "$REGISTRY/test/zstd:1" echo pulled)" pulled
	docker rmi "$REGISTRY/test/zstd:1" >/dev/null
}

test_pull_from_a_list_takes_this_machines_platform() {
	need_registry
	push list test/list:1
	login
	docker pull -q "$REGISTRY/test/list:1" >/dev/null
	is "$(docker image inspect -f '{{.Architecture}}' "$REGISTRY/test/list:1")" "$(dpkg --print-architecture)"
	docker rmi "$REGISTRY/test/list:1" >/dev/null
}

test_pull_by_digest() {
	need_registry
	local digest
	digest=$(push oci test/digest:1)
	login
	docker pull -q "$REGISTRY/test/digest@$digest" >/dev/null
	is "$(docker run --rm "$REGISTRY/test/digest@$digest" echo by digest)" "by digest"
	docker rmi "$REGISTRY/test/digest@$digest" >/dev/null
}

test_pull_by_run_shows_progress() {
	need_registry
	push docker test/progress:1
	login
	has "$(docker run --rm "$REGISTRY/test/progress:1" echo ran 2>&1)" "Pull complete"
	docker rmi "$REGISTRY/test/progress:1" >/dev/null
}

test_pull_without_or_with_wrong_password_is_refused() {
	need_registry
	push docker test/secret:1
	refused "" docker pull "$REGISTRY/test/secret:1"
	has_not "$out" "500"
	login pusher:wrong
	refused "" docker pull "$REGISTRY/test/secret:1"
	login
	refused "not found" docker pull "$REGISTRY/test/nosuch:1"
	refused "" docker pull "$REGISTRY/test/secret:nosuchtag"
}

# I15: content that is not what its digest says
test_i15_a_changed_blob_is_refused() {
	need_registry
	push docker test/broken:1
	login
	local blob
	blob=$(ls -S "$E2E"/registry/data/docker/registry/v2/blobs/sha256/*/*/data | head -1)
	blob=$(python3 test/e2e/images.py layer-of "https://$REGISTRY" "$E2E/registry/ca.crt" pusher:secret test/broken:1)
	blob=$E2E/registry/data/docker/registry/v2/blobs/sha256/${blob:7:2}/${blob:7}/data
	cp "$blob" "$TMP/saved"
	printf 'X' | dd of="$blob" bs=1 seek=1000 conv=notrunc status=none
	refused "" docker pull "$REGISTRY/test/broken:1"
	cp "$TMP/saved" "$blob"
	refused "No such image" docker image inspect "$REGISTRY/test/broken:1"
	is "$(ls "$DATA/staging" | wc -l)" 0 "files left in staging"
	docker pull -q "$REGISTRY/test/broken:1" >/dev/null                # and it is fine afterwards
	docker rmi "$REGISTRY/test/broken:1" >/dev/null
}

test_i20_two_pulls_of_one_image_at_once() {
	need_registry
	push docker test/twice:1
	login
	docker pull -q "$REGISTRY/test/twice:1" >/dev/null & local a=$!
	docker pull -q "$REGISTRY/test/twice:1" >/dev/null & local b=$!
	wait $a && wait $b
	is "$(docker run --rm "$REGISTRY/test/twice:1" echo one copy)" "one copy"
	docker rmi "$REGISTRY/test/twice:1" >/dev/null
}

test_an_unreachable_registry_is_a_sentence() {
	refused "" docker pull 127.0.0.1:1/x/y
	has "$out" "127.0.0.1:1"
}

# A registry that lies, stalls or sends people in circles (I17).
lying() { # BEHAVIOUR: listens on 127.0.0.1:25444, plain HTTP
	python3 test/e2e/lying-registry.py 25444 "$1" >"$TMP/requests" 2>&1 &
	echo $! >"$TMP/lying.pid"
	trap 'kill $(cat "$TMP/lying.pid") 2>/dev/null; rm -rf "$TMP"' EXIT
	wait_for 20 bash -c 'exec 3<>/dev/tcp/127.0.0.1/25444'
}

test_i17_redirects_without_end() { lying redirects; refused "" timeout 20 docker pull 127.0.0.1:25444/x/y; }
test_i17_a_401_without_end() { lying unauthorized; refused "" timeout 20 docker pull 127.0.0.1:25444/x/y; }
test_i17_a_body_longer_than_its_length() { lying longer; refused "" timeout 20 docker pull 127.0.0.1:25444/x/y; }
test_i17_a_body_shorter_than_its_length() { lying shorter; refused "" timeout 20 docker pull 127.0.0.1:25444/x/y; }
test_i17_a_manifest_of_100_megabytes() { lying huge; refused "" timeout 20 docker pull 127.0.0.1:25444/x/y; }
test_i17_a_manifest_that_is_not_json() { lying nonsense; refused "" timeout 20 docker pull 127.0.0.1:25444/x/y; }
test_i17_an_index_under_the_name_of_a_manifest() { lying confused; refused "" timeout 20 docker pull 127.0.0.1:25444/x/y; }
test_i17_a_schema_1_manifest() { lying schema1; refused "" timeout 20 docker pull 127.0.0.1:25444/x/y; }
test_i17_a_list_of_tags_that_goes_on_elsewhere() { lying elsewhere; refused "somewhere else" timeout 20 docker pull -a 127.0.0.1:25444/x/y; }
test_i17_a_list_of_tags_without_end() { lying forever; refused "has no end" timeout 30 docker pull -a 127.0.0.1:25444/x/y; }
test_all_pages_of_a_list_of_tags() {
	lying two
	has "$(timeout 20 docker pull -a 127.0.0.1:25444/x/y)" "b: Pulling from x/y"
	is "$(docker image ls 127.0.0.1:25444/x/y --format '{{.Tag}}' | sort | tr '\n' ' ')" "a b "
	docker rmi 127.0.0.1:25444/x/y:a 127.0.0.1:25444/x/y:b >/dev/null
}
test_plain_http_is_for_loopback() { lying good; exits 0 timeout 20 docker pull -q 127.0.0.1:25444/x/y; docker rmi 127.0.0.1:25444/x/y >/dev/null; }

test_login_asks_the_registry() {
	need_registry
	export DOCKER_CONFIG=$TMP/login
	has "$(echo secret | docker login -u pusher --password-stdin "$REGISTRY" 2>&1)" "Login Succeeded"
	has "$(cat "$DOCKER_CONFIG/config.json")" "$REGISTRY"
	docker logout "$REGISTRY" >/dev/null
	echo wrong >"$TMP/pw"
	out=$(docker login -u pusher --password-stdin "$REGISTRY" 2>&1 <"$TMP/pw") && fail "a wrong password: $out"
	has "$out" "incorrect username or password"
	api_refused 401 "incorrect" POST /auth -d "{\"username\":\"pusher\",\"password\":\"x\",\"serveraddress\":\"$REGISTRY\"}"
	api_refused 400 "invalid registry address" POST /auth -d '{"username":"a","password":"b","serveraddress":"no where"}'
	is "$(api_status POST /auth -d '{"username":"a","password":"b","serveraddress":"127.0.0.1:1"}')" 500
	has "$(jq -r .message "$TMP/body")" "127.0.0.1:1"
}
