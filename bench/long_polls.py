#!/usr/bin/env python3
"""Many idle long polls over TLS: what they cost the node in memory, and how soon one among them is woken.

    bench/long_polls.py ENTENTE [--polls 10000] [--wakes 200]

The idle ones wait at one collection; one more client waits at another, to which something is posted again and again. In the end one object is posted to
the first collection too, and the time is taken until the last of all has its answer. One JSON object on standard output.
"""
import argparse, json, os, pathlib, resource, selectors, socket, ssl, statistics, subprocess, sys, tempfile, threading, time, uuid

MEDIA = "application/taxii+json;version=2.1"
NEVER = "2100-01-01T00:00:00.000000Z"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def memory_mb(pid):
    return next(int(line.split()[1]) / 1024 for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))


def head(method, path, token, extra=""):
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nAccept: {MEDIA}\r\n{extra}"


def read_answer(s):
    text = b""
    while b"\r\n\r\n" not in text:
        got = s.recv(65536)
        if not got:
            raise SystemExit("long_polls: the node closed a connection")
        text += got
    front, _, body = text.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in front.split(b"\r\n") if line.lower().startswith(b"content-length"))
    while len(body) < length:
        body += s.recv(65536)
    status = int(front[9:12])
    if status >= 300:
        raise SystemExit(f"long_polls: {status} {body[:300]!r}")
    return front, body


def main():
    p = argparse.ArgumentParser()
    p.add_argument("entente")
    p.add_argument("--polls", type=int, default=10_000)
    p.add_argument("--wakes", type=int, default=200)
    a = p.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < a.polls + 500:
        raise SystemExit(f"long_polls: {a.polls} connections need as many open files; the limit here is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="entente-polls-") as folder:
        port = free_port()
        subprocess.run([a.entente, "init", folder + "/n", "--party", "JP", "--name", "Bench", "--listen", f"127.0.0.1:{port}"], check=True, capture_output=True)
        token = pathlib.Path(folder, "n/keys/admin.token").read_text().strip()
        node = subprocess.Popen([a.entente, "node", "run", "--dir", folder + "/n"], stdout=subprocess.PIPE, text=True)
        try:
            if "ready" not in node.stdout.readline():
                raise SystemExit("long_polls: the node did not start")
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # loopback, our own node

            def connect():
                raw = socket.create_connection(("127.0.0.1", port), 30)
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return context.wrap_socket(raw)

            def post(s, collection):
                i = uuid.uuid4()
                body = json.dumps({"objects": [{"type": "indicator", "spec_version": "2.1", "id": f"indicator--{i}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
                                                "pattern": f"[domain-name:value = '{i}.example']", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z"}]})
                s.sendall((head("POST", f"/local/collections/{collection}/objects/", token, f"Content-Type: {MEDIA}\r\nContent-Length: {len(body)}\r\n\r\n") + body).encode())
                return read_answer(s)

            before = memory_mb(node.pid)
            begin = time.monotonic()
            polls = []
            question = head("GET", "/local/collections/sightings/objects/", token, "Prefer: wait=60\r\n\r\n").encode()
            for _ in range(a.polls):
                s = connect()
                s.sendall(question)
                polls.append(s)
            filled = time.monotonic() - begin
            time.sleep(0.5)
            during = memory_mb(node.pid)
            # One that is woken, and one that posts.
            waiter, poster = connect(), connect()
            _, body = post(poster, "inbox")
            waiter.sendall(head("GET", "/local/collections/inbox/manifest/", token, "\r\n").encode())
            front, _ = read_answer(waiter)

            def last_of(answer):
                return next(line.split(b": ", 1)[1].decode() for line in answer.split(b"\r\n") if line.lower().startswith(b"x-taxii-date-added-last"))
            last, took = last_of(front), []
            for _ in range(a.wakes):
                waiter.sendall(head("GET", f"/local/collections/inbox/manifest/?added_after={last}", token, "Prefer: wait=30\r\n\r\n").encode())
                time.sleep(0.01)
                when = {}

                def listen():
                    when["front"], _ = read_answer(waiter)
                    when["at"] = time.perf_counter()
                t = threading.Thread(target=listen)
                t.start()
                time.sleep(0.005)
                post(poster, "inbox")
                answered = time.perf_counter()  # durable and acknowledged: from here on it is a wake-up
                t.join()
                took.append(max(0.0, when["at"] - answered) * 1000)
                last = last_of(when["front"])
            took.sort()
            # All at once.
            selector = selectors.DefaultSelector()
            for s in polls:
                selector.register(s, selectors.EVENT_READ)
            begin = time.monotonic()
            post(poster, "sightings")
            left = len(polls)
            while left and time.monotonic() < begin + 60:
                for key, _ in selector.select(1):
                    read_answer(key.fileobj)
                    selector.unregister(key.fileobj)
                    left -= 1
            everyone = time.monotonic() - begin
            if left:
                raise SystemExit(f"long_polls: {left} were not woken")
            print(json.dumps({"polls": a.polls, "node_mb_before": round(before), "node_mb": round(during), "kb_each": round((during - before) * 1024 / a.polls, 1), "connected_s": round(filled, 1),
                              "wake_p50_ms": round(statistics.median(took), 2), "wake_p99_ms": round(took[min(len(took) - 1, int(len(took) * 0.99))], 2), "all_woken_s": round(everyone, 2)}))
        finally:
            node.terminate()
            node.wait(30)


if __name__ == "__main__":
    main()
