#!/usr/bin/env python3
"""A node under a service manager: what it is told (READY, RELOADING, STATUS, WATCHDOG, STOPPING), a new certificate after SIGHUP without a connection
lost, and SIGTERM while a long poll waits.

    operation_test.py ENTENTE
"""
import hashlib, http.client, json, os, pathlib, shutil, signal, socket, ssl, subprocess, sys, tempfile, threading, time

sys.dont_write_bytecode = True
ENTENTE = sys.argv[1]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.argv[1:] = [ENTENTE]
import crash_test as nodes  # noqa: E402  Node

FAILED = []


def check(what, good, detail=""):
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": {detail}"), flush=True)
    if not good:
        FAILED.append(what)


def certificate_of(port):
    return hashlib.sha256(ssl.get_server_certificate(("127.0.0.1", port)).encode()).hexdigest()


class Manager:
    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(0.1)
        self.got = []

    def until(self, word, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.got.append(self.socket.recv(4096).decode())
            except TimeoutError:
                continue
            if word in self.got[-1]:
                return self.got[-1]
        return ""


def main(tmp):
    node = nodes.Node(str(tmp / "in"), "IN")
    manager = Manager(str(tmp / "notify"))
    os.environ.update(NOTIFY_SOCKET=str(tmp / "notify"), WATCHDOG_USEC="400000")
    node.start()
    try:
        ready = manager.until("READY=1")
        check("READY when it serves, with where", "STATUS=serving https://" in ready, manager.got)
        check("WATCHDOG while it lives", manager.until("WATCHDOG=1") and manager.until("WATCHDOG=1"), manager.got)
        # A connection that was there before SIGHUP stays, and its next request is answered on it.
        kept = node.connect()
        node.ask(kept, "GET", "/taxii2/")
        before, sock = certificate_of(node.port), kept.sock
        other = tmp / "other"
        nodes.run("init", other, "--party", "JP", "--name", "x", "--listen", "127.0.0.1:1")
        for name in ("tls.crt", "tls.key"):
            shutil.copy(other / "keys" / name, pathlib.Path(node.dir, "keys", name))
        node.process.send_signal(signal.SIGHUP)
        check("RELOADING with the time", "MONOTONIC_USEC=" in manager.until("RELOADING=1"), manager.got)
        check("and READY again", manager.until("READY=1"))
        check("a new connection gets the new certificate", certificate_of(node.port) != before)
        node.ask(kept, "GET", "/taxii2/")
        check("an old connection is not dropped", kept.sock is sock)
        # A certificate that does not fit its key: the old one stays, and the node too.
        good = certificate_of(node.port)
        pathlib.Path(node.dir, "keys", "tls.crt").write_text("no certificate\n")
        node.process.send_signal(signal.SIGHUP)
        manager.until("READY=1")
        check("a broken certificate changes nothing", certificate_of(node.port) == good)
        # SIGTERM: who waits gets an answer, not a cut.
        inbox, answer = node.collection("inbox"), []

        def wait():
            connection = node.connect()
            connection.timeout = 60
            now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() + 3600))
            connection.request("GET", f"/local/collections/{inbox}/objects/?added_after={now}", None, {"Authorization": f"Bearer {node.token}", "Accept": nodes.MEDIA, "Prefer": "wait=30"})
            try:
                response = connection.getresponse()
                answer.append((response.status, json.loads(response.read())))
            except (OSError, http.client.HTTPException, ValueError) as e:
                answer.append((0, repr(e)))

        waiter = threading.Thread(target=wait)
        waiter.start()
        time.sleep(0.7)
        check("the long poll waits", waiter.is_alive(), answer)
        start = time.monotonic()
        node.process.terminate()
        check("STOPPING", manager.until("STOPPING=1"), manager.got)
        waiter.join(20)
        status = node.process.wait(20)
        check("a long poll in flight is answered at SIGTERM", answer and answer[0][0] == 200, answer)
        check(f"the node ends by itself, soon and with 0 ({time.monotonic() - start:.1f} s)", status == 0 and time.monotonic() - start < 8, status)
    finally:
        node.process.kill()
        node.process.wait()


with tempfile.TemporaryDirectory(prefix="entente-operation-") as folder:
    main(pathlib.Path(folder))
print(f"{len(FAILED)} wrong" if FAILED else "all as it should be")
sys.exit(1 if FAILED else 0)
