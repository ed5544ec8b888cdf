# docker commit: what a container changed becomes an image.

test_commit_keeps_changes_and_configuration() {
	docker run --name c1 -e A=1 busybox sh -c 'echo new >/etc/new; rm /etc/group; mkdir -p /a/b; ln -s new /etc/link; ln /etc/new /a/hard'
	local id
	id=$(docker commit -m "a message" -a "an author" -c 'CMD ["cat", "/etc/new"]' -c 'ENV B="2 3"' c1 made:1)
	has "$id" "sha256:"
	is "$(docker run --rm made:1)" new
	is "$(docker run --rm made:1 sh -c 'echo $A $B; cat /a/hard; readlink /etc/link; ls -d /a/b; ls /etc/group 2>&1; true')" \
		"1 2 3"$'\n'"new"$'\n'"new"$'\n'"/a/b"$'\n'"ls: /etc/group: No such file or directory"
	is "$(docker image inspect -f '{{.Author}} {{.Comment}} {{len .RootFS.Layers}}' made:1)" "an author a message 2"
	is "$(docker image inspect -f '{{.Parent}}' made:1)" "$(docker image inspect -f '{{.Id}}' busybox)"
	has "$(docker history --no-trunc made:1)" "echo new"
	docker rm c1 >/dev/null
	is "$(docker run --rm made:1)" new
	docker rmi made:1 >/dev/null
}

test_commit_of_a_running_container_pauses_it_meanwhile() {
	local id
	docker run -d --name run1 busybox sh -c 'echo x >/x; sleep 100' >/dev/null
	wait_for 20 docker exec run1 test -s /x
	id=$(docker commit run1)
	is "$(docker run --rm "$id" cat /x)" x
	is "$(inspect run1 '{{.State.Status}}')" running
	docker pause run1 >/dev/null
	docker commit run1 still:paused >/dev/null
	is "$(inspect run1 '{{.State.Status}}')" paused
	docker rm -f run1 >/dev/null
	docker rmi "$id" still:paused >/dev/null
}

test_a_commit_without_changes_adds_no_layer() {
	docker run --name c2 busybox true
	docker commit c2 same >/dev/null
	is "$(docker image inspect -f '{{.RootFS.Layers}}' same)" "$(docker image inspect -f '{{.RootFS.Layers}}' busybox)"
	docker rm c2 >/dev/null
	docker rmi same >/dev/null
}

test_commit_save_load_have_the_same_id() {
	docker run --name c3 busybox sh -c 'echo 3 >/three; chown 7:8 /three; chmod 4750 /three'
	local id
	id=$(docker commit c3 saved:3)
	docker save saved:3 >"$TMP/saved.tar"
	docker rm c3 >/dev/null
	docker rmi saved:3 >/dev/null
	has "$(docker load <"$TMP/saved.tar")" "saved:3"
	is "$(docker image inspect -f '{{.Id}}' saved:3)" "$id"
	is "$(docker run --rm saved:3 stat -c '%u:%g %a' /three)" "7:8 4750"
	docker rmi saved:3 >/dev/null
}

test_a_deleted_and_made_again_directory_hides_what_was_in_it() {
	docker run --name c4 busybox sh -c 'mkdir -p /d/old; echo x >/d/old/x'
	docker commit c4 opaque:1 >/dev/null
	docker run --name c5 opaque:1 sh -c 'rm -r /d && mkdir /d && echo y >/d/y'
	docker commit c5 opaque:2 >/dev/null
	is "$(docker run --rm opaque:2 ls /d)" y
	docker rm c4 c5 >/dev/null
	docker rmi opaque:2 opaque:1 >/dev/null
}

test_commit_is_refused_with_a_sentence() {
	docker create --name c5 busybox >/dev/null
	refused "No such container" docker commit nosuch x
	refused "invalid reference format" docker commit c5 'Bad:Name'
	refused "unknown instruction" docker commit -c 'NONSENSE x' c5 y
	refused "is not a valid change command" docker commit -c 'RUN x' c5 y
	docker rm c5 >/dev/null
}

test_commit_is_an_event_of_the_container() {
	local from
	from=$(date +%s)
	docker create --name c6 busybox >/dev/null
	docker commit c6 evented:1 >/dev/null
	wait_for 20 sh -c "docker events --since $from --until \$(date +%s) --format '{{.Type}} {{.Action}}' | grep -q 'container commit'"
	docker rm c6 >/dev/null
	docker rmi evented:1 >/dev/null
}
