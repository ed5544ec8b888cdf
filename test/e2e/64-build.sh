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
