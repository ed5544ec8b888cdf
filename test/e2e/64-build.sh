# docker build: the classic builder's API.

export DOCKER_BUILDKIT=0

# Build from what stands on stdin as Dockerfile and the files of $TMP/ctx. Output in $out.
build() { # ARGS...
	mkdir -p "$TMP/ctx"
	cat >"$TMP/ctx/Dockerfile"
	out=$(docker build "$@" "$TMP/ctx" 2>&1) || fail "build failed: $out"
}

build_fails() { # PART ARGS...
	local part=$1
	shift
	mkdir -p "$TMP/ctx"
	cat >"$TMP/ctx/Dockerfile"
	out=$(docker build "$@" "$TMP/ctx" 2>&1) && fail "it was built: $out"
	has "$out" "$part"
}

test_run_copy_and_configuration() {
	mkdir -p "$TMP/ctx/dir/sub"
	echo hello >"$TMP/ctx/file"
	echo deep >"$TMP/ctx/dir/sub/deep"
	build -t built:1 <<-'END'
		FROM busybox
		ENV A=1 B="two words"
		RUN echo "$B" >/made && echo said
		COPY file /copied
		COPY dir /dir/
		WORKDIR /work
		COPY file .
		LABEL key=value
		CMD ["cat", "/made", "/copied", "/dir/sub/deep", "file"]
	END
	has "$out" "Step 1/9 : FROM busybox"
	has "$out" $'\nsaid\n'
	has "$out" " ---> Running in "
	has "$out" " ---> Removed intermediate container "
	has "$out" "Successfully built "
	has "$out" "Successfully tagged built:1"
	is "$(docker run --rm built:1)" "two words"$'\n'hello$'\n'deep$'\n'hello
	is "$(docker image inspect -f '{{.Config.Labels.key}} {{.Config.WorkingDir}}' built:1)" "value /work"
	is "$(docker ps -aq)" ""
	docker rmi built:1 >/dev/null
}

test_every_step_is_in_the_cache_the_second_time() {
	echo 1 >"$TMP/f"
	mkdir -p "$TMP/ctx"
	cp "$TMP/f" "$TMP/ctx/f"
	cat >"$TMP/df" <<-'END'
		FROM busybox
		ARG WHO=nobody
		RUN echo "$WHO" >/who
		COPY f /f
		ENV X=1
	END
	build -q <"$TMP/df"
	local id=$out
	has "$id" "sha256:"
	build <"$TMP/df"
	is "$(grep -c 'Using cache' <<<"$out")" 4
	is "$(build -q <"$TMP/df"; echo "$out")" "$id"
	# another argument, another file, or none of the cache
	build --build-arg WHO=me <"$TMP/df"
	is "$(grep -c 'Using cache' <<<"$out")" 1
	touch -d 2001-01-01 "$TMP/ctx/f"
	build <"$TMP/df"
	is "$(grep -c 'Using cache' <<<"$out")" 4 "a file with another time only"
	echo 2 >"$TMP/ctx/f"
	build <"$TMP/df"
	is "$(grep -c 'Using cache' <<<"$out")" 2
	build --no-cache <"$TMP/df"
	has_not "$out" "Using cache"
	docker image prune -f >/dev/null
}

# --- --cache-from: what came from elsewhere ------------------------------------------------------------

cached() { grep -c 'Using cache' <<<"$out" || true; }

# An image of five steps; $TMP/df is its Dockerfile, $id its id.
cacheable() { # TAG
	mkdir -p "$TMP/ctx"
	echo 1 >"$TMP/ctx/f"
	cat >"$TMP/df" <<-END
		FROM busybox
		ARG WHO=$1
		RUN echo "\$WHO" >/who
		COPY --chmod=640 f /f
		ENV X=1
		WORKDIR /there
	END
	build -t "$1" --label last=label <"$TMP/df"
	id=$(docker image inspect -f '{{.Id}}' "$1")
}

test_cache_from_what_was_loaded() {
	cacheable cached:1
	docker save -o "$TMP/image.tar" cached:1
	docker rmi cached:1 >/dev/null
	docker load -qi "$TMP/image.tar" >/dev/null
	build -t cached:2 --label last=label --cache-from nosuch:1 --cache-from cached:1 <"$TMP/df"
	is "$(cached)" 6
	has_not "$out" "Running in"
	is "$(docker image inspect -f '{{.Id}}' cached:2)" "$id"
	is "$(docker images -q --filter dangling=true)" ""
	# the steps are the cache of the next build as if it had made them, and the source as one of it
	build -q --label last=label <"$TMP/df"
	has "$out" "$id"
	build --cache-from cached:2 <"$TMP/df"
	is "$(cached)" 5
	docker rmi cached:1 cached:2 >/dev/null
	exits 1 docker image inspect "$id"
}

test_cache_from_ends_with_the_first_step_that_differs() {
	local layers
	cacheable cached:3
	layers=$(docker image inspect -f '{{json .RootFS.Layers}}' cached:3)
	docker save -o "$TMP/image.tar" cached:3
	docker rmi cached:3 >/dev/null
	docker load -qi "$TMP/image.tar" >/dev/null
	echo 2 >"$TMP/ctx/f"
	build -t cached:4 --cache-from cached:3 <"$TMP/df"
	is "$(cached)" 2
	has "$(docker run --rm cached:4 sh -c 'cat /who /f; pwd; stat -c %a /f')" cached:3$'\n'2$'\n'/there$'\n'640
	is "$(docker image inspect -f '{{json .RootFS.Layers}}' cached:4 | jq -c '.[:2]')" "$(jq -c '.[:2]' <<<"$layers")" "the layers below it"
	has_not "$(docker image inspect -f '{{json .Config.Labels}}' cached:4)" last
	# only what is named is looked at, but its parts that were made here are
	echo 1 >"$TMP/ctx/f"
	build --cache-from cached:4 <"$TMP/df"
	is "$(cached)" 2
	build --cache-from busybox <"$TMP/df"
	is "$(cached)" 0
	build --cache-from nosuch <"$TMP/df"
	is "$(cached)" 0
	build --no-cache --cache-from cached:3 <"$TMP/df"
	is "$(cached)" 0
	# another mode is another step, though the file is the same
	build --cache-from cached:3 <<<"$(sed s/640/600/ "$TMP/df")"
	is "$(cached)" 2
	docker rmi cached:3 cached:4 >/dev/null
	docker image prune -f >/dev/null
}

test_cache_from_what_was_pulled() {
	need_registry
	local image=$REGISTRY/build/cached
	mkdir -p "$TMP/config"
	export DOCKER_CONFIG=$TMP/config
	printf '{"auths":{"%s":{"auth":"%s"}}}' "$REGISTRY" "$(printf pusher:secret | base64 -w0)" >"$TMP/config/config.json"
	cacheable "$image:1"
	docker push -q "$image:1" >/dev/null
	docker rmi "$image:1" >/dev/null
	docker pull -q "$image:1" >/dev/null
	build -t cached:5 --label last=label --cache-from "$image:1" <"$TMP/df"
	is "$(cached)" 6
	is "$(docker image inspect -f '{{.Id}}' cached:5)" "$id"
	has "$(docker push "$image:1")" "Layer already exists"
	docker rmi cached:5 "$image:1" >/dev/null
}

test_stages_targets_and_copies_between_them() {
	cat >"$TMP/df" <<-'END'
		ARG BASE=busybox
		FROM $BASE AS first
		RUN mkdir /out && echo one >/out/one && chown 7:8 /out/one && ln -s one /out/link
		FROM scratch AS second
		COPY --from=first /out /out/
		COPY --from=0 /bin/busybox /bin/sh
		FROM busybox
		COPY --from=second /out /got/
		COPY --from=busybox /etc/passwd /passwd
		CMD stat -c '%u:%g' /got/one; cat /got/link; head -c 4 /passwd
	END
	build -t stages:1 <"$TMP/df"
	is "$(docker run --rm stages:1)" "7:8"$'\n'one$'\n'root
	build -t stages:2 --target second <"$TMP/df"
	has "$out" "Step 6/6"
	is "$(docker run --rm stages:2 sh -c 'read x </out/one; echo $x')" one
	build -q --target 0 <"$TMP/df"
	build_fails "failed to reach build target nosuch in Dockerfile" --target nosuch <"$TMP/df"
	docker rmi stages:1 stages:2 >/dev/null
	docker image prune -f >/dev/null
}

test_copy_rules() {
	mkdir -p "$TMP/ctx/d/e"
	for f in a.txt b.txt c.log d/x d/e/y; do echo "$f" >"$TMP/ctx/$f"; done
	chmod 750 "$TMP/ctx/a.txt"
	ln -s a.txt "$TMP/ctx/link"
	build -t copy:1 <<-'END'
		FROM busybox
		WORKDIR /w
		COPY a.txt b.txt two/
		COPY *.txt ./wild/
		COPY d dir
		COPY d/e /bin
		COPY link followed
		COPY --chown=user:wheel a.txt owned
		COPY --chown=3 --chmod=4711 b.txt numbers
		COPY ["a.txt", "/with space/"]
		COPY c.lo[f-h] /
		RUN mkdir /real && ln -s real /through
		COPY a.txt /through/
		COPY <<one <<"two" /docs/
		$PATH "quoted"
		one
		$PATH
		two
	END
	is "$(docker run --rm copy:1 sh -c 'ls two wild dir dir/e; cat /bin/y followed; ls /through -d; cat /real/a.txt "/with space/a.txt" /c.log')" \
"dir:
e
x

dir/e:
y

two:
a.txt
b.txt

wild:
a.txt
b.txt
d/e/y
a.txt
/through
a.txt
a.txt
c.log"
	is "$(docker run --rm copy:1 stat -c '%a %u:%g' two/a.txt owned numbers)" "750 0:0"$'\n'"750 1000:10"$'\n'"4711 3:3"
	has "$(docker run --rm copy:1 cat /docs/one)" '/bin "quoted"'
	is "$(docker run --rm copy:1 cat /docs/two)" '$PATH'
	docker rmi copy:1 >/dev/null
	build_fails "COPY failed: file not found in build context or excluded by .dockerignore: stat nosuch: file does not exist" <<<$'FROM busybox\nCOPY nosuch /'
	build_fails "COPY failed: no source files were specified" <<<$'FROM busybox\nCOPY nosuch* /x/'
	build_fails "COPY failed: stat nosuch: file does not exist" <<<$'FROM busybox AS a\nFROM busybox\nCOPY --from=a /nosuch /'
	build_fails "COPY failed: forbidden path outside the build context: ../x ()" <<<$'FROM busybox\nCOPY ../x /'
	build_fails "the destination must be a directory and end with a /" <<<$'FROM busybox\nCOPY a.txt b.txt /x'
	build_fails "COPY requires at least two arguments" <<<$'FROM busybox\nCOPY a.txt'
	build_fails "unable to find user nobody-at-all" <<<$'FROM busybox\nCOPY --chown=nobody-at-all a.txt /'
	build_fails "the --parents option requires BuildKit" <<<$'FROM busybox\nCOPY --parents a.txt /'
	docker image prune -f >/dev/null
}

test_add_takes_archives_apart() {
	mkdir -p "$TMP/ctx" "$TMP/t/in/side"
	echo packed >"$TMP/t/in/side/file"
	tar -C "$TMP/t" --owner=5 --group=6 -czf "$TMP/ctx/a.tar.gz" in
	tar -C "$TMP/t" -cf "$TMP/ctx/a.tar" in
	tar -C "$TMP/t" -cJf "$TMP/ctx/a.txz" in
	tar -C "$TMP/t" -cjf "$TMP/ctx/a.tbz" in
	echo "no archive" | xz >"$TMP/ctx/text.xz"
	echo plain >"$TMP/ctx/plain.tar"
	build -t add:1 <<-'END'
		FROM busybox
		ADD a.tar.gz /unpacked
		ADD a.tar plain.tar /two/
		ADD a.txz text.xz /xz/
		ADD a.tbz /bz2
		COPY a.tar.gz a.txz /kept/
	END
	is "$(docker run --rm add:1 sh -c 'cat /unpacked/in/side/file /two/in/side/file /two/plain.tar; stat -c %u:%g /unpacked/in; ls /kept')" \
		packed$'\n'packed$'\n'plain$'\n'5:6$'\n'a.tar.gz$'\n'a.txz
	is "$(docker run --rm add:1 sh -c 'cat /xz/in/side/file /bz2/in/side/file; ls /xz')" packed$'\n'packed$'\n'in$'\n'text.xz
	docker rmi add:1 >/dev/null
	head -c -20 "$TMP/ctx/a.txz" >"$TMP/ctx/cut.txz"
	build_fails "xz: ends early" <<<$'FROM busybox\nADD cut.txz /x/'
	build_fails "ADD of a git repository" <<<$'FROM busybox\nADD git://192.0.2.2/x /x'
	docker image prune -f >/dev/null
}

test_arguments() {
	build --build-arg SET=given --build-arg UNUSED=1 --build-arg http_proxy=http://p:1 --build-arg OVER=arg <<-'END'
		ARG TAG=latest
		FROM busybox:$TAG
		ARG TAG
		ARG SET=default
		ARG PLAIN=plain
		ARG OVER
		ENV OVER=env
		RUN echo "$TAG $SET $PLAIN $OVER $http_proxy"
		ENV KEPT=${SET}-${PLAIN:+yes}
		RUN echo "$KEPT"
	END
	has "$out" $'\nlatest given plain env http://p:1\n'
	has "$out" $'\ngiven-yes\n'
	has "$out" "One or more build-args ?UNUSED? were not consumed"
	docker image prune -f >/dev/null
}

test_the_configuration_instructions() {
	build -t conf:1 --label from=cli --label 'other=a "b"' <<-'END'
		FROM busybox
		MAINTAINER somebody
		USER user
		EXPOSE 80 53/udp
		VOLUME /data
		STOPSIGNAL SIGINT
		SHELL ["/bin/ash", "-ec"]
		HEALTHCHECK --interval=5s CMD true
		ONBUILD RUN echo triggered >/tmp/triggered
		ONBUILD COPY f /f
		ENTRYPOINT ["echo"]
		CMD a b
		RUN id -un
	END
	has "$out" $'\nuser\n'
	is "$(docker image inspect -f '{{.Author}} {{.Config.User}} {{json .Config.ExposedPorts}} {{json .Config.Volumes}} {{.Config.StopSignal}}' conf:1)" \
		'somebody user {"53/udp":{},"80/tcp":{}} {"/data":{}} SIGINT'
	is "$(docker image inspect -f '{{json .Config.Entrypoint}} {{json .Config.Cmd}} {{json .Config.Healthcheck.Test}}' conf:1)" \
		'["echo"] ["/bin/ash","-ec","a b"] ["CMD-SHELL","true"]'
	is "$(docker image inspect -f '{{.Config.Labels.from}} {{.Config.Labels.other}}' conf:1)" 'cli a "b"'
	has "$(docker history --no-trunc --format '{{.CreatedBy}}' conf:1)" '/bin/ash -ec id -un'
	echo f >"$TMP/ctx/f"
	build -t conf:2 <<<$'FROM conf:1\nUSER root\nENTRYPOINT ["cat"]\nCMD ["/tmp/triggered", "/f"]'
	has "$out" "# Executing 2 build triggers"
	is "$(docker run --rm conf:2)" triggered$'\n'f
	is "$(docker image inspect -f '{{json .Config.OnBuild}}' conf:2)" null
	docker rmi conf:2 conf:1 >/dev/null
}

test_failures_end_with_dockers_words() {
	build_fails "The command '/bin/sh -c exit 7' returned a non-zero code: 7" <<<$'FROM busybox\nRUN exit 7'
	exits 7 docker build "$TMP/ctx"
	is "$(docker ps -aq | wc -l)" 2 "failed containers stay"
	docker container prune -f >/dev/null
	exits 7 docker build --force-rm "$TMP/ctx"
	is "$(docker ps -aq)" ""
	build_fails "dockerfile parse error on line 2: unknown instruction: RUM" <<<$'FROM busybox\nRUM x'
	build_fails "no build stage in current context" <<<'RUN x'
	build_fails "registry 127.0.0.1:1: " <<<'FROM 127.0.0.1:1/no/such-image:1'
	build_fails "executable file not found" <<<$'FROM busybox\nRUN ["nosuch"]'
	build_fails "No image was generated" <<<'FROM scratch'
	build_fails "the --mount option requires BuildKit" <<<$'FROM busybox\nRUN --mount=type=cache,target=/x true'
	build_fails "file with no instructions" <<<''
	docker container prune -f >/dev/null
	api_refused 400 "squash is only supported with experimental mode" POST "/build?squash=1"
	api_refused 501 "is not supported" POST "/build?remote=https://example.org/x.git"
	api_refused 501 "classic builder only" POST "/build?version=2"
	api_refused 400 "invalid reference format" POST "/build?t=BAD"
	api_refused 400 "buildargs" POST "/build?buildargs=x"
	api_refused 400 "Cannot locate specified Dockerfile: Dockerfile" POST /build --data-binary @/dev/null -H 'Content-Type: application/x-tar'
	api_refused 403 "" POST "/build?networkmode=host"
}

test_dockerignore_and_dockerfile_by_name() {
	mkdir -p "$TMP/ctx/sub"
	echo x >"$TMP/ctx/keep"
	echo x >"$TMP/ctx/sub/secret"
	printf '**/secret\n.dockerignore\nother*\n' >"$TMP/ctx/.dockerignore"
	printf 'FROM busybox\nCOPY . /all/\n' >"$TMP/ctx/other.df"
	docker build -t ign:1 -f "$TMP/ctx/other.df" "$TMP/ctx" >/dev/null 2>&1
	is "$(docker run --rm ign:1 find /all -type f)" /all/keep
	printf 'FROM busybox\nRUN echo from stdin\n' | docker build - >"$TMP/out" 2>&1
	has "$(cat "$TMP/out")" $'\nfrom stdin\n'
	tar -C "$TMP/ctx" -cz . | docker build -f other.df - >"$TMP/out" 2>&1
	has "$(cat "$TMP/out")" "Successfully built"
	docker rmi ign:1 >/dev/null
	docker image prune -f >/dev/null
}

test_network_of_a_build() {
	build <<<$'FROM busybox\nRUN ls /sys/class/net'
	has "$out" eth0
	build --network none <<<$'FROM busybox\nRUN ls /sys/class/net | wc -l && ls /sys/class/net'
	has "$out" $'\n1\nlo\n'
	build <<<$'FROM busybox\nRUN --network=none ls /sys/class/net | wc -l'
	has "$out" $'\n1\n'
	build --add-host there:192.0.2.9 --shm-size 3m --ulimit nofile=77 -m 64m <<<$'FROM busybox\nRUN grep there /etc/hosts; df -m /dev/shm | tail -1; ulimit -n'
	has "$out" "192.0.2.9"
	has "$out" $'\n77\n'
	docker image prune -f >/dev/null
}

test_a_cancelled_client_ends_the_build() {
	mkdir -p "$TMP/ctx"
	printf 'FROM busybox\nRUN sleep 300\n' >"$TMP/ctx/Dockerfile"
	docker build "$TMP/ctx" >"$TMP/out" 2>&1 &
	local pid=$!
	wait_for 10 grep -q "Running in" "$TMP/out"
	wait_for 10 sh -c '[ "$(docker ps -q | wc -l)" = 1 ]'
	kill -9 $pid
	wait $pid || true
	wait_for 10 sh -c '[ "$(docker ps -aq | wc -l)" = 0 ]'
	wait_for 10 sh -c "[ \$(ls $DATA/fs/build | wc -l) = 0 ]"
}

test_a_build_ends_with_the_role_that_drives_it() {
	mkdir -p "$TMP/ctx"
	printf 'FROM busybox\nRUN sleep 300\n' >"$TMP/ctx/Dockerfile"
	for role in api node; do
		docker build "$TMP/ctx" >"$TMP/out" 2>&1 &
		wait_for 10 grep -q "Running in" "$TMP/out"
		wait_for 10 sh -c '[ "$(docker ps -q | wc -l)" = 1 ]'
		kill -9 "$(role_pid $role)"
		[ $role = api ] || { wait_for 20 docker version; kill %%; }
		wait || true
		wait_for 20 sh -c '[ "$(docker ps -aq 2>&1 | wc -l)" = 0 ]'
		wait_for 10 sh -c "[ \$(ls $DATA/fs/build | wc -l) = 0 ]"
	done
}

test_tags_and_what_is_removed_with_them() {
	docker image prune -f >/dev/null
	local shown=$(docker images -q | wc -l) all=$(docker images -aq | wc -l)
	build -t tags:1 -t example.org/tags:two <<<$'FROM busybox\nRUN echo "$RANDOM" >/x\nENV A=1\nENV B=2'
	has "$out" "Successfully tagged example.org/tags:two"
	is "$(docker image inspect -f '{{.Id}}' tags:1)" "$(docker image inspect -f '{{.Id}}' example.org/tags:two)"
	is "$(docker images -q | wc -l) $(docker images -aq | wc -l)" "$((shown + 2)) $((all + 4))" "images, and those between"
	has "$(docker rmi tags:1)" "Untagged: tags:1"
	is "$(docker rmi example.org/tags:two | grep -c Deleted)" 3
	is "$(docker images -aq | wc -l)" "$all"
	docker builder prune -f >/dev/null
}

# --- hostile contexts: rows I01-I14 of docker load play here, too -----------------------------------------

# A context of a Dockerfile and what this Python makes of the tar `t` (tarfile): to $TMP/evil.tar.
evil() {
	python3 - "$TMP/evil.tar" "${1:-FROM busybox
COPY . /got/}" <<-END
		import io, sys, tarfile
		t = tarfile.open(sys.argv[1], "w")
		def add(name, data=b"", **more):
		    i = tarfile.TarInfo(name)
		    for k, v in more.items(): setattr(i, k, v)
		    i.size = len(data)
		    t.addfile(i, io.BytesIO(data))
		add("Dockerfile", sys.argv[2].encode())
		$(cat)
		t.close()
	END
}
evil_build() { api_status POST "/build?rm=1&t=evil" --data-binary "@$TMP/evil.tar" -H 'Content-Type: application/x-tar'; }

test_i01_a_context_does_not_leave_its_root() {
	for name in ../evil /../../evil a/../../evil; do
		evil <<<"add('$name', b'x')"
		is "$(evil_build)" 400
		has "$(cat "$TMP/body")" "unable to read the build context"
	done
	evil <<<$'add("up", type=tarfile.SYMTYPE, linkname="/etc")\nadd("up/evil", b"x")'
	is "$(evil_build)" 400
	evil <<<$'add("hard", type=tarfile.LNKTYPE, linkname="../../../../etc/passwd")'
	is "$(evil_build)" 400
	[ ! -e /etc/evil ] && [ ! -e "$DATA/evil" ] && [ ! -e "$DATA/fs/evil" ]
	wait_for 10 sh -c "[ \$(ls $DATA/fs/build | wc -l) = 0 ]"
}

test_i02_links_in_a_context_end_in_it() {
	evil $'FROM busybox\nCOPY pw shadow /got/' <<<$'add("pw", type=tarfile.SYMTYPE, linkname="../../../../../../etc/passwd")\nadd("shadow", type=tarfile.SYMTYPE, linkname="/etc/shadow")'
	evil_build >/dev/null
	has "$(cat "$TMP/body")" "stat pw: file does not exist"
	evil $'FROM busybox\nCOPY . /got/' <<<$'add("pw", type=tarfile.SYMTYPE, linkname="/etc/hostname")'
	evil_build >/dev/null
	has "$(cat "$TMP/body")" "Successfully built"
	is "$(docker run --rm evil readlink /got/pw)" /etc/hostname
	evil $'FROM busybox' <<<$'t.members\nt = tarfile.open(sys.argv[1], "w")\nadd("Dockerfile", type=tarfile.SYMTYPE, linkname="../../../../state/db/data.mdb")'
	is "$(evil_build)" 400
	has "$(cat "$TMP/body")" "Cannot locate specified Dockerfile"
	docker rmi evil >/dev/null
}

test_i06_devices_setuid_and_whiteouts_in_a_context() {
	evil <<-'END'
		add("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)
		add("disk", type=tarfile.BLKTYPE, devmajor=8)
		add("fifo", type=tarfile.FIFOTYPE)
		add("su", b"x", mode=0o4755, uid=70000, gid=70000)
		add(".wh.Dockerfile", b"x")
	END
	evil_build >/dev/null
	has "$(cat "$TMP/body")" "Successfully built"
	is "$(docker run --rm evil sh -c 'cd /got; ls; stat -c "%a %u" su')" Dockerfile$'\n'fifo$'\n'su$'\n'"4755 0"
	docker rmi evil >/dev/null
}

test_i12_contexts_that_are_no_archives() {
	head -c 100000 /dev/urandom >"$TMP/evil.tar"
	is "$(evil_build)" 400
	evil <<<'add("f", b"x" * 100000)'
	head -c 50000 "$TMP/evil.tar" >"$TMP/cut.tar" && mv "$TMP/cut.tar" "$TMP/evil.tar"
	is "$(evil_build)" 400
	evil <<<'add("f", b"x")'
	gzip -c "$TMP/evil.tar" | head -c 150 >"$TMP/cut.tar" && mv "$TMP/cut.tar" "$TMP/evil.tar"
	is "$(evil_build)" 400
	evil <<<"add('/'.join(['d'] * 1500), b'x')"
	evil_build >/dev/null
	has "$(cat "$TMP/body")" "directories deep"
	evil <<<'add("Dockerfile", b"FROM busybox\nRUN " + b"x" * 1100000)'
	is "$(evil_build)" 413
	: >"$TMP/evil.tar"
	is "$(evil_build)" 400
	wait_for 10 sh -c "[ \$(ls $DATA/fs/build | wc -l) = 0 ]"
}

test_i13_a_context_of_an_archive_that_grows() {
	mkdir -p "$TMP/ctx"
	head -c 300M /dev/zero | gzip -9 >"$TMP/ctx/zeros.gz"
	build <<<$'FROM busybox\nADD zeros.gz /\nRUN ls -l /zeros.gz | awk \'{ print "size", $5 }\''
	has "$out" $'\nsize '"$(stat -c %s "$TMP/ctx/zeros.gz")"$'\n'
	docker image prune -f >/dev/null
}

test_a_dockerfile_escapes_nothing_in_the_output() {
	evil $'FROM busybox\nRUN printf "\\\\033[31m\\\\377{\\"error\\":\\"x\\"}\\\\n"' </dev/null
	evil_build >/dev/null
	jq -es 'map(select(.stream)) | length > 3' "$TMP/body" >/dev/null || fail "not JSON: $(cat "$TMP/body")"
	has "$(cat "$TMP/body")" "Successfully built"
	docker rmi evil >/dev/null
}

# --- other clients ----------------------------------------------------------------------------------------

test_compose_builds() {
	command -v docker-compose >/dev/null || skip "there is no docker-compose"
	mkdir -p "$TMP/p/app"
	printf 'FROM busybox\nARG WORD\nRUN echo "$WORD" >/word\nCMD cat /word\n' >"$TMP/p/app/Dockerfile"
	cat >"$TMP/p/docker-compose.yml" <<-'END'
		version: "3.4"
		services:
		  app:
		    image: composed:1
		    build: { context: app, args: { WORD: by compose }, labels: { from: compose } }
	END
	(cd "$TMP/p" && env -u REQUESTS_CA_BUNDLE -u CURL_CA_BUNDLE docker-compose -p built build) >"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
	has "$(cat "$TMP/out")" "Successfully built"
	is "$(docker run --rm composed:1)" "by compose"
	is "$(docker image inspect -f '{{.Config.Labels.from}}' composed:1)" compose
	docker rmi composed:1 >/dev/null
}

test_another_accounts_images_and_builds_are_not_there() {
	docker tag busybox only:mine
	mkdir -p "$TMP/ctx"
	printf 'FROM only:mine\n' >"$TMP/ctx/Dockerfile"
	as other docker build "$TMP/ctx" >"$TMP/out" 2>&1 && fail "it was built: $(cat "$TMP/out")"
	docker rmi only:mine >/dev/null
}

test_add_of_a_url() {
	echo "what is fetched" >"$E2E/www/file.txt"
	touch -d 2001-02-03T04:05:06Z "$E2E/www/file.txt"
	tar -C "$E2E/www" -cf "$E2E/www/some.tar" file.txt
	build -t fetched <<END || fail "$out"
FROM busybox
ADD http://192.0.2.2/file.txt?a=b /named
ADD --chmod=0640 --chown=1000:1000 http://192.0.2.2/file.txt /dir/
ADD http://192.0.2.2/some.tar /tars/
END
	is "$(docker run --rm fetched cat /named /dir/file.txt | xargs)" "what is fetched what is fetched"
	is "$(docker run --rm fetched stat -c '%a %u %Y' /named /dir/file.txt /tars/some.tar | xargs)" \
		"600 0 981173106 640 1000 981173106 600 0 $(stat -c %Y "$E2E/www/some.tar")"
	echo "something else" >"$E2E/www/file.txt"           # the cache goes by what comes
	build -t fetched <<<$'FROM busybox\nADD http://192.0.2.2/file.txt /named' || fail "$out"
	is "$(docker run --rm fetched cat /named)" "something else"
	build -t fetched <<<$'FROM busybox\nADD http://192.0.2.2/file.txt /named' || fail "$out"
	has "$out" "Using cache"
	build_fails "with status 404" <<<$'FROM busybox\nADD http://192.0.2.2/nosuch /x'
	build_fails "cannot determine filename from url" <<<$'FROM busybox\nADD http://192.0.2.2/ /x/'
	build_fails "127.0.0.1" <<<$'FROM busybox\nADD http://127.0.0.1:9/x /x'
	build_fails "an ADD for each" <<<$'FROM busybox\nADD http://192.0.2.2/file.txt Dockerfile /x/'
	build_fails "source can't be a URL for COPY" <<<$'FROM busybox\nCOPY http://192.0.2.2/file.txt /x'
	docker rmi -f fetched >/dev/null
}

# What buildkitd in a container does, without its image: an overlay on its volume, control groups of its own, and Debian's runc.
test_a_builder_in_a_container() {
	command -v runc >/dev/null || skip "there is no runc"
	as boss docker image inspect busybox >/dev/null 2>&1 || busybox_tar | as boss docker import - busybox >/dev/null
	cat >"$TMP/builder" <<-'END'
		set -e
		if [ -e /sys/fs/cgroup/cgroup.controllers ]; then      # version 2: groups with processes have no groups below, as buildkitd knows
			mkdir -p /sys/fs/cgroup/init
			echo $$ >/sys/fs/cgroup/init/cgroup.procs
		fi
		cd /var/lib/buildkit
		mkdir -p lower upper work rootfs
		mkdir -p lower/bin lower/proc lower/sys lower/dev lower/etc
		cp /bin/busybox lower/bin/busybox && ln -s busybox lower/bin/sh
		mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work rootfs
		runc spec
		sed -i 's/"terminal": true/"terminal": false/; s/"readonly": true/"readonly": false/; s/"sh"/"sh","-c","echo nested as $$ >\/made"/' config.json
		runc run inner </dev/null
		cat upper/made
		umount rootfs
		echo done
	END
	is "$(as boss docker run --rm --privileged --network none -v builder:/var/lib/buildkit -v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro \
		-v "$TMP/builder:/builder:ro" busybox sh /builder 2>&1)" "nested as 1"$'\n'done
	as boss docker volume rm builder >/dev/null
}
