"""For tests of a whole sensor: a node that is a few handlers of HTTP (own collection, no agreement), and the sensor as a process. Not a test."""
import http.server, json, os, pathlib, signal, subprocess, sys, threading, time, urllib.parse

COLLECTION = "c0000000-0000-4000-8000-000000000009"


def indicator(number, pattern, version=1, **more):
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--00000000-0000-4000-8000-{number:012d}", "created": "2026-01-01T00:00:00.000Z",
            "modified": f"2026-01-01T00:{version // 60:02d}:{version % 60:02d}.000Z", "name": f"sample {number}", "pattern": pattern, "pattern_type": "stix",
            "valid_from": "2026-01-01T00:00:00Z", "confidence": 90, "indicator_types": ["malicious-activity"], **more}


def address(number, text, version=1, **more):
    return indicator(number, f"[ipv4-addr:value = '{text}']", version, **more)


class Node:
    """Serves what add() was given, in that order; counts the sightings that come in. `away` = it does not answer."""

    def __init__(self, port=0):
        self.objects, self.sightings, self.away, self.lock = [], [], False, threading.Condition()
        node = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self, body, kind="application/json", status=200, **headers):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                for key, value in headers.items():
                    self.send_header(key.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                taxii = "application/taxii+json;version=2.1"
                if node.away:
                    self.close_connection = True
                    return
                url = urllib.parse.urlparse(self.path)
                if url.path == "/local/collections/":
                    return self.answer({"collections": [{"id": COLLECTION, "alias": "own", "title": "own", "can_read": True, "can_write": False,
                                                         "media_types": ["application/stix+json;version=2.1"]}]}, taxii)
                if url.path != f"/local/collections/{COLLECTION}/objects/":
                    return self.answer({"title": "no"}, taxii, 404)
                after = urllib.parse.parse_qs(url.query).get("added_after", [""])[0]
                deadline = time.monotonic() + 2
                with node.lock:
                    while True:
                        due = [(t, o) for t, o in node.objects if t > after][:1000]
                        if due or node.away or time.monotonic() > deadline:
                            break
                        node.lock.wait(0.2)
                if not due:
                    return self.answer({}, taxii)
                self.answer({"more": False, "objects": [o for _, o in due]}, taxii, X_TAXII_Date_Added_First=due[0][0], X_TAXII_Date_Added_Last=due[-1][0])

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if node.away:
                    self.close_connection = True
                    return
                n = len(body.get("objects", []))
                node.sightings += body.get("objects", [])
                self.answer({"id": "2d086da7-4bdc-4f91-900e-d77486753710", "status": "complete", "total_count": n, "success_count": n, "failure_count": 0,
                             "pending_count": 0}, "application/taxii+json;version=2.1", 202)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *args):  # a client that was killed
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, *objects):
        with self.lock:
            for o in objects:
                n = len(self.objects)
                self.objects.append((f"2026-02-01T00:{n // 60_000_000 % 60:02d}:{n // 1_000_000 % 60:02d}.{n % 1_000_000:06d}Z", o))
            self.lock.notify_all()


class Sensor:
    """A sensor with its folder. Tables of `config` come beside [node] and [sensor]; `sensor` are lines of the latter."""

    def __init__(self, entente, folder, node, sensor="", config=""):
        self.entente, self.folder, self.process = entente, pathlib.Path(folder), None
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "token").write_text("secret\n")
        os.chmod(self.folder / "token", 0o600)
        self.state = self.folder / "state"
        self.write(node, sensor, config)

    def write(self, node, sensor="", config=""):
        text = f'[node]\nurl = "http://127.0.0.1:{node.port}"\ntoken_file = "token"\n[sensor]\nmode = "block"\nstate_dir = "state"\ncollections = ["own"]\nwait_seconds = 1\n'
        (self.folder / "sensor.toml").write_text(text + sensor + "\n" + config + "\n")

    def start(self, wait=True, limits=None):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen([self.entente, "sensor", "run", "--config", str(self.folder / "sensor.toml")], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, preexec_fn=limits)
        if wait:
            within(10, lambda: self.process.poll() is not None or self.answers())
            if self.process.poll() is not None:
                raise SystemExit(f"the sensor did not start: {self.said()[-2000:]}")
        return self

    def answers(self):
        return self.run("lease", "list", "--state", self.state).returncode == 0

    def run(self, *args):
        return subprocess.run([self.entente, "-o", "json", *map(str, args)], capture_output=True, text=True, timeout=30)

    def leases(self, *more):
        r = self.run("lease", "list", "--state", self.state, *more)
        return [json.loads(line) for line in r.stdout.splitlines()] if r.returncode == 0 else []

    def targets(self):
        return sorted(lease["target"] for lease in self.leases() if lease["state"] == "active")

    def status(self):
        try:
            return json.loads((self.state / "status.json").read_text())
        except (OSError, ValueError):
            return {}

    def said(self):
        try:
            return (self.folder / "log").read_text(errors="replace")
        except OSError:
            return ""

    def kill(self, sig=signal.SIGKILL):
        """Ends it; its status."""
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.send_signal(sig)
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = "had to be killed"
        self.log.close()
        return status

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def within(seconds, condition, every=0.05):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(every)


def own_namespace(*arguments):
    """This test again in a network and mount namespace of its own, so that nothing of the machine is touched. Without the right: skipped."""
    if os.environ.get("ENTENTE_IN_NAMESPACE"):
        # The file system of BPF is the namespace's, and its maps are gone with it.
        subprocess.run("ip link set lo up; mount --make-rprivate /; mount -t bpf bpf /sys/fs/bpf 2>/dev/null; true", shell=True, check=True)
        return
    if subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True).returncode != 0:
        print("skipped: no right to make a network namespace")
        sys.exit(77)
    os.execvpe("unshare", ["unshare", "-n", "-m", sys.executable, *sys.argv, *arguments], {**os.environ, "ENTENTE_IN_NAMESPACE": "1"})


class Checks:
    def __init__(self):
        self.failed = []

    def __call__(self, what, ok, detail=""):
        print(("ok    " if ok else "WRONG ") + what + ("" if ok else f": {detail}"), flush=True)
        if not ok:
            self.failed.append(what)

    def finish(self):
        print(f"{len(self.failed)} checks failed" if self.failed else "all checks passed")
        sys.exit(1 if self.failed else 0)
