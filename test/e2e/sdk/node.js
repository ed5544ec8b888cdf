// dockerode through its whole surface: every method of it is called.
// Each check says both sides; the first that does not hold ends it.
"use strict";
const assert = require("assert").strict;
const { PassThrough, Readable } = require("stream");
const Docker = require("dockerode");
const tar = require("tar-fs");
const fs = require("fs");
const os = require("os");
const path = require("path");

// Every method of the library must be called by this test. Not `copy`, whose endpoint went with API 1.24.
const called = new Set(["Docker.runCallback", "Docker.runPromise", "Container.copy"]), methods = new Set();
for (const one of ["", "Container", "Exec", "Image", "Network", "Volume", "Service", "Task", "Node", "Secret", "Config", "Plugin"]) {
	const of = one ? new Docker()["get" + one]("x") : new Docker(), proto = Object.getPrototypeOf(of);
	for (const name of Object.getOwnPropertyNames(proto).filter((n) => n !== "constructor")) {
		const key = (one || "Docker") + "." + name, f = proto[name];
		methods.add(key);
		proto[name] = function (...args) { called.add(key); return f.apply(this, args); };
	}
}

const docker = new Docker();                          // DOCKER_HOST and the certificates of the environment
const ended = (s) => new Promise((ok, bad) => s.on("end", ok).on("close", ok).on("error", bad));
const text = async (s) => { const all = []; for await (const piece of s) all.push(piece); return Buffer.concat(all).toString(); };
const refused = (call, status, part) =>
	assert.rejects(call, (e) => { assert.equal(e.statusCode, status, e.message); assert.ok(e.message.includes(part), e.message); return true; });
const until = async (what, holds) => {
	for (let i = 0; i < 400 * (process.env.E2E_SLOW || 1); i++, await new Promise((ok) => setTimeout(ok, 25)))
		if (await holds())
			return;
	assert.fail(what + " did not come");
};
const progress = (s) => new Promise((ok, bad) => docker.modem.followProgress(s, (e, all) => (e ? bad(e) : ok(all))));

// The two parts of a stream that has frames.
async function parts(stream) {
	const out = new PassThrough(), err = new PassThrough();
	docker.modem.demuxStream(stream, out, err);
	stream.on("end", () => { out.end(); err.end(); });
	stream.resume();
	return Promise.all([text(out), text(err)]);
}

async function system() {
	assert.equal((await docker.ping()).toString(), "OK");
	assert.equal((await docker.version()).Os, "linux");
	assert.equal((await docker.info()).Swarm.LocalNodeState, "inactive");
	assert.ok((await docker.df()).LayersSize >= 0);
}

async function containers() {
	const c = await docker.createContainer({ Image: "busybox", name: "rode", Cmd: ["sh", "-c", "echo one; echo two >&2; exec cat"], OpenStdin: true,
		Env: ["A=b"], Labels: { of: "rode" }, HostConfig: { Memory: 64 << 20, Binds: ["rodevol:/v"], PortBindings: { "80/tcp": [{ HostPort: "" }] } },
		ExposedPorts: { "80/tcp": {} } });
	const attached = await c.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
	const got = new PassThrough(), bad = new PassThrough();

	docker.modem.demuxStream(attached, got, bad);
	await c.start();
	attached.write("typed\n");
	let seen = "";
	got.on("data", (d) => { seen += d; });
	await until("what was typed", () => seen === "one\ntyped\n");
	attached.destroy();
	const about = await c.inspect();
	assert.equal(about.State.Status, "running");
	assert.equal(about.HostConfig.Memory, 64 << 20);
	assert.ok(about.NetworkSettings.Ports["80/tcp"][0].HostPort > 0);
	assert.deepEqual((await docker.listContainers({ filters: { label: ["of=rode"] } })).map((x) => x.Names[0]), ["/rode"]);
	await refused(docker.createContainer({ Image: "busybox", name: "rode" }), 409, "already in use");
	await refused(docker.createContainer({ Image: "no/such:1" }), 404, "No such image");
	await refused(docker.getContainer("nosuch").inspect(), 404, "No such container");

	assert.deepEqual(await parts(Readable.from([await c.logs({ stdout: true, stderr: true })])), ["one\ntyped\n", "two\n"]);
	const followed = await c.logs({ stdout: true, follow: true });
	await new Promise((ok) => followed.once("data", ok));
	followed.destroy();
	const before = await c.attach({ stream: true, logs: true, stdout: true, stderr: true });    // what was, then what comes
	const all = parts(before);
	await c.top();
	assert.ok((await c.stats({ stream: false })).memory_stats.limit > 0);
	const stats = await c.stats({ stream: true });
	assert.ok(JSON.parse(await new Promise((ok) => stats.once("data", ok))).cpu_stats);
	stats.destroy();
	await c.update({ Memory: 128 << 20, MemorySwap: 256 << 20 });
	await c.rename({ name: "rode2" });
	await c.resize({ h: 24, w: 80 });
	await execs(c);
	await archives(c);
	await c.pause();
	assert.equal((await c.inspect()).State.Paused, true);
	await c.unpause();
	const made = await c.commit({ repo: "rode/made", tag: "1", changes: "ENV C=d" });
	assert.ok((await docker.getImage("rode/made:1").inspect()).Config.Env.includes("C=d"));
	assert.ok(made.Id.startsWith("sha256:"));
	const over = c.wait();
	await c.kill();
	assert.equal((await over).StatusCode, 137);
	assert.deepEqual(await all, ["one\ntyped\n", "two\n"]);
	await c.restart({ t: 0 });
	await c.stop({ t: 0 });
	await refused(c.kill(), 409, "is not running");
	await c.remove({ v: true });
	const [result] = await docker.run("busybox", ["sh", "-c", "echo run; exit 3"], got, { HostConfig: { AutoRemove: true } });
	assert.equal(result.StatusCode, 3);
	await docker.pruneContainers({ filters: { label: ["of=rode"] } });
}

async function execs(c) {
	const one = await c.exec({ Cmd: ["sh", "-c", "echo $A; echo e >&2; exit 4"], AttachStdout: true, AttachStderr: true, Env: ["A=x"] });
	assert.deepEqual(await parts(await one.start({})), ["x\n", "e\n"]);
	assert.equal((await one.inspect()).ExitCode, 4);
	const talk = await c.exec({ Cmd: ["cat"], AttachStdin: true, AttachStdout: true });
	const stream = await talk.start({ hijack: true, stdin: true });
	const said = parts(stream);
	stream.end("hello\n");
	assert.deepEqual(await said, ["hello\n", ""]);
	const tty = await c.exec({ Cmd: ["stty", "size"], AttachStdin: true, AttachStdout: true, Tty: true, ConsoleSize: [31, 91] });
	assert.equal(await text(await tty.start({ hijack: true, stdin: true, Tty: true })), "31 91\r\n");
}

async function archives(c) {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), "rode"));

	fs.writeFileSync(path.join(dir, "put"), "content");
	await c.putArchive(tar.pack(dir), { path: "/tmp" });
	const stat = JSON.parse(Buffer.from((await c.infoArchive({ path: "/tmp/put" })).headers["x-docker-container-path-stat"], "base64"));
	assert.equal(stat.size, 7);
	const back = (await c.getArchive({ path: "/tmp/put" })).pipe(tar.extract(path.join(dir, "back")));
	await new Promise((ok, bad) => back.on("finish", ok).on("error", bad));
	assert.equal(fs.readFileSync(path.join(dir, "back", "put"), "utf8"), "content");
	assert.ok((await c.changes()).some((x) => x.Path === "/tmp/put" && x.Kind === 1));
	assert.ok((await text(await c.export())).includes("tmp/put"));
	fs.rmSync(dir, { recursive: true });
}

async function images() {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), "rode"));

	fs.writeFileSync(path.join(dir, "Dockerfile"), "FROM rode/made:1\nCOPY data /data\nRUN test -s /data\nLABEL l=m\n");
	fs.writeFileSync(path.join(dir, "data"), "data");
	fs.writeFileSync(path.join(dir, "not"), "x");
	const lines = await progress(await docker.buildImage({ context: dir, src: ["Dockerfile", "data"] }, { t: "rode/built", rm: true }));
	assert.ok(lines.some((x) => /Successfully built/.test(x.stream)), JSON.stringify(lines));
	fs.writeFileSync(path.join(dir, "Dockerfile"), "FROM busybox\nRUN exit 5\n");
	const failed = (await progress(await docker.buildImage({ context: dir, src: ["Dockerfile"] }, {}))).pop();
	assert.equal(failed.errorDetail.code, 5, JSON.stringify(failed));
	fs.rmSync(dir, { recursive: true });
	const i = docker.getImage("rode/built");
	assert.equal((await i.inspect()).Config.Labels.l, "m");
	assert.ok((await i.history()).length > 1);
	await i.tag({ repo: "rode/other", tag: "2" });
	const saved = await i.get();
	const kept = path.join(os.tmpdir(), "rode" + process.pid);
	await new Promise((ok, bad) => saved.pipe(fs.createWriteStream(kept)).on("finish", ok).on("error", bad));
	await docker.getImage("rode/other:2").remove();
	await i.remove({ force: true });
	await refused(i.inspect(), 404, "No such image");
	await progress(await docker.loadImage(kept));
	fs.rmSync(kept);
	assert.equal((await docker.listImages({ filters: { reference: ["rode/*"] } })).length, 2);
	await i.remove();
	await docker.getImage("rode/made:1").remove();
	await refused(docker.pull("127.0.0.1:9/no/such:1"), 500, "127.0.0.1:9");
}

async function networks() {
	const n = await docker.createNetwork({ Name: "rodenet", Driver: "bridge", Internal: true, Labels: { of: "rode" },
		IPAM: { Config: [{ Subnet: "10.67.0.0/24", Gateway: "10.67.0.1" }] } });
	const c = await docker.createContainer({ Image: "busybox", name: "rodec", Cmd: ["sleep", "1000"] });

	await n.connect({ Container: c.id, EndpointConfig: { IPAMConfig: { IPv4Address: "10.67.0.67" }, Aliases: ["alias"] } });
	await c.start();
	assert.equal((await n.inspect()).Containers[c.id].IPv4Address, "10.67.0.67/24");
	await refused(n.remove(), 403, "has active endpoints");
	await n.disconnect({ Container: c.id, Force: true });
	await c.remove({ force: true });
	assert.equal((await docker.listNetworks({ filters: { label: ["of=rode"] } }))[0].Name, "rodenet");
	await n.remove();
	await refused(n.inspect(), 404, "not found");
}

async function volumes() {
	const v = await docker.createVolume({ Name: "rodevol2", Labels: { of: "rode" } });

	assert.equal((await docker.getVolume("rodevol2").inspect()).Labels.of, "rode");
	assert.equal((await docker.listVolumes({ filters: { label: ["of=rode"] } })).Volumes.length, 1);
	await docker.getVolume("rodevol2").remove();
	await docker.getVolume("rodevol").remove();
	await refused(docker.getVolume("rodevol").inspect(), 404, "no such volume");
}

async function events(since) {
	const past = (await text(await docker.getEvents({ since, until: Math.ceil(Date.now() / 1000) + 1, filters: { type: ["container", "network", "image"] } })))
		.trim().split("\n").map((line) => JSON.parse(line));
	const seen = past.map((e) => e.Type + " " + e.Action);

	for (const wanted of ["container create", "container attach", "container start", "container die", "container rename", "container commit",
		"network create", "network connect", "image tag"])
		assert.ok(seen.includes(wanted), wanted);
	const live = await docker.getEvents({ filters: { event: ["create"], type: ["container"] } });
	const first = new Promise((ok) => live.once("data", (d) => ok(JSON.parse(d))));
	const c = await docker.createContainer({ Image: "busybox", name: "rodeevent" });
	assert.equal((await first).Actor.Attributes.name, "rodeevent");
	live.destroy();
	await c.remove();
}

// What is between the engine and a registry, also where there is none.
async function registry(host) {
	const auth = { username: "pusher", password: "secret", serveraddress: host || "127.0.0.1:9" };

	await refused(docker.searchImages({ term: "127.0.0.1:9/x" }), 500, "127.0.0.1:9");
	if (!host) {
		await refused(docker.checkAuth(auth), 500, "127.0.0.1:9");
		await refused(docker.getImage("127.0.0.1:9/x:1").distribution(), 500, "127.0.0.1:9");
		return void await progress(await docker.getImage("nosuch").push({ authconfig: auth })).then(assert.fail, (e) => assert.match(e.message, /does not exist/));
	}
	assert.equal((await docker.checkAuth(auth)).Status, "Login Succeeded");
	await docker.getImage("busybox").tag({ repo: host + "/test/rode", tag: "1" });
	const i = docker.getImage(host + "/test/rode:1");
	assert.ok((await progress(await i.push({ authconfig: auth }))).some((x) => x.aux && x.aux.Digest));
	assert.ok((await i.distribution({ authconfig: auth })).Descriptor.digest);
	await i.remove();
	for (const x of (await docker.getImage("busybox").inspect()).RepoDigests.filter((d) => d.startsWith(host)))
		await docker.getImage(x).remove();
}

// Swarm mode, plugins and experiments: Docker's answers of an engine without them.
async function absent() {
	const manager = [() => docker.listServices(), () => docker.listNodes(), () => docker.listTasks(), () => docker.listSecrets(), () => docker.listConfigs(),
		() => docker.createSecret({ Name: "x" }), () => docker.createConfig({ Name: "x" }), () => docker.createService({ Name: "x" }),
		() => docker.swarmUpdate({}), () => docker.swarmInspect()];
	for (const one of ["Service", "Node", "Secret", "Config", "Task"]) {
		const of = docker["get" + one]("x");
		for (const name of ["inspect", "update", "remove", "logs"].filter((n) => n in of))
			manager.push(() => of[name]({}));
	}
	for (const call of manager)
		await refused(call(), 503, "not a swarm manager");
	await refused(docker.swarmInit({}), 501, "swarm");
	await refused(docker.swarmJoin({}), 501, "swarm");
	await refused(docker.swarmLeave({}), 503, "not part of a swarm");
	assert.deepEqual(await docker.listPlugins(), []);
	const plugin = docker.getPlugin("x", "x");
	await refused(plugin.inspect(), 405, "not allowed");    // the library asks for /plugins/x
	for (const name of ["remove", "enable", "disable", "push", "configure", "upgrade"])
		await refused(plugin[name]({}), 404, "plugin");
	for (const call of [() => docker.createPlugin({ name: "x" }), () => plugin.privileges(), () => plugin.pull({})])
		await refused(call(), 501, "plugins are not supported");
	const c = docker.getContainer("x");
	for (const name of ["createCheckpoint", "listCheckpoint"])
		await refused(c[name]({}), 501, "experimental");
	await refused(c.deleteCheckpoint("y", {}), 501, "experimental");
}

async function rest() {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), "rode"));
	const kept = path.join(dir, "both.tar");

	await new Promise((ok, bad) => docker.getImages({ names: ["busybox"] }).then((s) => s.pipe(fs.createWriteStream(kept)).on("finish", ok).on("error", bad), bad));
	await progress(await docker.importImage(kept, { repo: "rode/imported", tag: "1" }));
	assert.equal((await docker.listContainers({ filters: { ancestor: ["rode/imported:1"] } })).length, 0);
	await docker.getImage("rode/imported:1").remove();
	fs.rmSync(dir, { recursive: true });
	assert.ok((await docker.pruneImages()).SpaceReclaimed >= 0);
	assert.ok((await docker.pruneBuilder()).SpaceReclaimed >= 0);
	assert.ok((await docker.pruneVolumes()).SpaceReclaimed >= 0);
	await docker.createNetwork({ Name: "rodeold", Labels: { of: "rode" } });
	assert.deepEqual((await docker.pruneNetworks({ filters: { label: ["of=rode"] } })).NetworksDeleted, ["rodeold"]);
	const c = await docker.createContainer({ Image: "busybox", name: "rodex", Cmd: ["sleep", "1000"], HostConfig: { AutoRemove: true } });
	await c.start();
	const x = await c.exec({ Cmd: ["sh", "-c", "sleep 1; stty size"], AttachStdout: true, Tty: true });
	const out = text(await x.start({ Tty: true }));
	await x.resize({ h: 33, w: 77 });
	assert.equal(await out, "33 77\r\n");
	await c.kill();
}

(async () => {
	const since = Math.floor(Date.now() / 1000) - 1;

	await system();
	await containers();
	await images();
	await networks();
	await volumes();
	await rest();
	await events(since);
	await registry(process.argv[2]);
	await absent();
	const missing = [...methods].filter((m) => !called.has(m));
	assert.deepEqual(missing, [], "methods that were not called");
})().then(() => process.exit(0), (e) => { console.log(e); process.exit(1); });
