#!/usr/bin/env python3
"""A node under a service manager (docs/operation.md): sd_notify, a socket that was passed, watchdog, reload, drain.

This test is the service manager: it opens the listening socket, receives what the node says, and restarts it. A new certificate is served
to new connections while old ones go on; who waits in a long poll when the node stops is answered; who connects between two runs of the
node is served by the second. The unit files are verified by systemd-analyze where it is installed.
"""
import datetime, http.client, json, os, pathlib, shutil, signal, socket, ssl, subprocess, sys, tempfile, threading, time

entente, root = sys.argv[1], pathlib.Path(sys.argv[2])
failed = []


def check(rule, ok, detail=""):
    print(f"{'ok  ' if ok else 'FAIL'} {rule} {detail}", flush=True)
    if not ok:
        failed.append(rule)


class Manager:
    """Says what a service manager says, hears what it hears."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.box = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.box.bind(self.path)
        self.said = []
        self.changed = threading.Condition()
        threading.Thread(target=self.hear, daemon=True).start()

    def hear(self):
        while True:
            text = self.box.recv(4096).decode()
            with self.changed:
                self.said.append((time.monotonic(), text))
                self.changed.notify_all()

    def wait(self, word, since=0.0, seconds=10):
        with self.changed:
            find = lambda: next((t for t, text in self.said if t >= since and word in text.split("\n")), None)
            self.changed.wait_for(lambda: find() is not None, seconds)
            return find()

    def start(self, node_dir, listening, watchdog_us=400_000):
        env = {**os.environ, "NOTIFY_SOCKET": self.path, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "node", "WATCHDOG_USEC": str(watchdog_us)}
        # The pid that the sockets are for is known only after the fork.
        shell = 'export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$@"'
        return subprocess.Popen(["sh", "-c", shell, "sh", entente, "node", "run", "--dir", node_dir], env=env, stdout=subprocess.PIPE, text=True,
                                pass_fds=(3,), preexec_fn=lambda: os.dup2(listening.fileno(), 3, inheritable=True))


def context():
    c = ssl.create_default_context()
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE  # loopback; what is served is compared below
    return c


def connect(port):
    c = http.client.HTTPSConnection("127.0.0.1", port, context=context(), timeout=30)
    c.connect()
    return c, c.sock.getpeercert(binary_form=True)


def ask(c, path, headers=None):
    c.request("GET", path, headers={"Authorization": f"Bearer {token}", "Accept": "application/taxii+json;version=2.1", **(headers or {})})
    r = c.getresponse()
    return r.status, r.read()


folder = tempfile.mkdtemp(prefix="entente-service-")
processes = []
try:
    node_dir = folder + "/jp"
    subprocess.run([entente, "init", node_dir, "--party", "JP", "--name", "Service", "--listen", "192.0.2.1:8443"], check=True, capture_output=True)
    token = pathlib.Path(node_dir, "keys/admin.token").read_text().strip()
    manager = Manager(folder)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]

    node = manager.start(node_dir, listening)
    processes.append(node)
    check("READY=1 is said once the node serves", manager.wait("READY=1") is not None)
    line = json.loads(node.stdout.readline())
    check("the passed socket is served, not the configured address", line["url"].endswith(f":{port}"), line["url"])
    old, old_cert = connect(port)
    check("a request over it is answered", ask(old, "/local/collections/")[0] == 200)
    t = time.monotonic()
    time.sleep(1.5)
    beats = [x for x, text in manager.said if x >= t and text == "WATCHDOG=1"]
    check("the watchdog is fed twice in its interval", len(beats) >= 5, f"{len(beats)} in 1.5 s of 0.4")

    other = folder + "/other"
    subprocess.run([entente, "init", other, "--party", "JP", "--name", "Service", "--listen", "127.0.0.1:1"], check=True, capture_output=True)
    for name in ("tls.crt", "tls.key"):
        shutil.copy(f"{other}/keys/{name}", f"{node_dir}/keys/{name}.new")
        os.replace(f"{node_dir}/keys/{name}.new", f"{node_dir}/keys/{name}")
    t = time.monotonic()
    node.send_signal(signal.SIGHUP)
    check("SIGHUP: RELOADING=1, then READY=1", manager.wait("RELOADING=1", t) is not None and manager.wait("READY=1", t) is not None)
    new, new_cert = connect(port)
    check("SIGHUP: a new connection sees the new certificate", new_cert != old_cert)
    check("SIGHUP: an old connection goes on", ask(old, "/local/collections/")[0] == 200)
    pathlib.Path(node_dir, "keys/tls.crt").write_text("broken")
    t = time.monotonic()
    node.send_signal(signal.SIGHUP)
    manager.wait("READY=1", t)
    check("SIGHUP with a broken certificate: the last good one stays", connect(port)[1] == new_cert)
    shutil.copy(f"{other}/keys/tls.crt", f"{node_dir}/keys/tls.crt")

    answers = []

    def long_poll():
        c, _ = connect(port)
        t0 = time.monotonic()
        after = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        answers.append((*ask(c, "/local/collections/inbox/objects/?added_after=" + after, {"Prefer": "wait=60"}), time.monotonic() - t0))

    waiter = threading.Thread(target=long_poll)
    waiter.start()
    time.sleep(0.7)
    t = time.monotonic()
    node.send_signal(signal.SIGTERM)
    check("SIGTERM: STOPPING=1", manager.wait("STOPPING=1", t) is not None)
    between = []

    def late():  # connects while nobody serves
        while node.poll() is None:
            time.sleep(0.01)
        c, _ = connect(port)
        between.append(ask(c, "/local/collections/")[0])

    late_one = threading.Thread(target=late)
    late_one.start()
    waiter.join(20)
    check("SIGTERM: who waits in a long poll is answered", len(answers) == 1 and answers[0][0] == 200 and 0.5 < answers[0][2] < 10, str([a[:1] + a[2:] for a in answers]))
    check("SIGTERM: ends with status 0 in its time", node.wait(10) == 0)

    time.sleep(0.3)
    t = time.monotonic()
    node = manager.start(node_dir, listening)
    processes.append(node)
    late_one.join(20)
    check("restart: who connected between two runs is served by the second", between == [200], str(between))

    plain = subprocess.run(["sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh", entente, "node", "run", "--dir", other], env={**os.environ, "LISTEN_FDS": "1"},
                           preexec_fn=lambda: os.dup2(os.open("/dev/null", os.O_RDONLY), 3, inheritable=True), pass_fds=(3,), capture_output=True, text=True, timeout=20)
    check("a descriptor that is no listening socket is refused in words", plain.returncode != 0 and "ListenStream" in plain.stderr, plain.stderr.strip())
finally:
    for p in processes:
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()

units = sorted((root / "packaging/systemd").glob("*.s*"))
if shutil.which("systemd-analyze"):
    with tempfile.TemporaryDirectory() as d:
        for unit in units:  # the program stands elsewhere here
            text = unit.read_text().replace("/usr/bin/entente", os.path.abspath(entente)).replace("file:/usr/share/doc/entente/operation.md", "man:entente(1)")
            pathlib.Path(d, unit.name.replace("@", "@x")).write_text(text)
        # The sensor's again, with the addition that XDP needs.
        added = pathlib.Path(d, "entente-sensor@y.service")
        added.write_text(pathlib.Path(d, "entente-sensor@x.service").read_text())
        pathlib.Path(d, added.name + ".d").mkdir()
        shutil.copy(root / "packaging/systemd/entente-sensor-xdp.conf", pathlib.Path(d, added.name + ".d", "xdp.conf"))
        r = subprocess.run(["systemd-analyze", "verify", "--man=no", *[str(p) for p in sorted(pathlib.Path(d).iterdir()) if p.is_file()]], capture_output=True, text=True, timeout=60)
        ours = [l for l in r.stderr.splitlines() if "entente-" in l]
        check("the unit files are valid (systemd-analyze verify)", not ours, "\n".join(ours))
else:
    print("SKIPPED: the unit files are not verified: no systemd-analyze here", flush=True)
shutil.rmtree(folder)
print(f"service: {len(failed)} failed", flush=True)
sys.exit(1 if failed else 0)
