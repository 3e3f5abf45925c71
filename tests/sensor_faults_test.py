#!/usr/bin/env python3
"""What may go wrong around a running sensor: an interface that vanishes, a disk that is full, sets and maps that are full, resolvers that are down, logs that are cut
mid-line, lines of 10 MB, octets that are no text, compression bombs. Each is counted, said once, and survived: what can be blocked is blocked all the while."""
import gzip, json, os, pathlib, signal, socket, subprocess, sys, tempfile, time

from sensor_lab import Checks, Node, Sensor, address, indicator, own_namespace, within

ENTENTE = sys.argv[1]
check = Checks()
sh = lambda command: subprocess.run(command, shell=True, capture_output=True, text=True)


def memory_mib(sensor):
    text = pathlib.Path(f"/proc/{sensor.process.pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) // 1024


def events(sensor, kind):
    try:
        return [json.loads(line) for line in (sensor.state / "events.jsonl").read_text().splitlines() if f'"event":"{kind}"' in line]
    except OSError:
        return []


def vanishing_interface(tmp):
    sh("ip link add gone0 type veth peer name gone1; ip link set gone0 up; ip link set gone1 up; ip addr add 10.88.0.1/24 dev gone0")
    node = Node()
    sensor = Sensor(ENTENTE, tmp / "vanish", node, 'enforcer = "both"\nxdp_mode = "generic"\npin_dir = "/sys/fs/bpf/vanish"\nxdp_capacity = 100\ninterfaces = ["gone0"]').start()
    source = lambda: (sensor.status().get("sources") or [{}])[0]
    try:
        node.add(address(1, "198.51.100.1"))
        check("interface: at work", within(5, lambda: sensor.targets() == ["198.51.100.1"]) and not source().get("error"), source())
        sh("ip link del gone0")
        check("interface gone: counted", within(5, lambda: source().get("went_away") == 1 and source().get("error")), source())
        node.add(address(2, "198.51.100.2"))
        check("interface gone: what comes is still leased, and in nftables", within(5, lambda: "198.51.100.2" in sensor.targets())
              and within(5, lambda: "198.51.100.2" in sh("nft list set inet entente block4").stdout), sensor.status())
        within(3, lambda: False)
        check("interface gone: said once", sensor.said().count("gone0:") <= 2 and sensor.process.poll() is None, sensor.said()[-1500:])
        sh("ip link add gone0 type veth peer name gone1; ip link set gone0 up; ip link set gone1 up; ip addr add 10.88.0.1/24 dev gone0")
        check("interface back: read again, and XDP is on it", within(6, lambda: not source().get("error") and sh("ip -d link show gone0").stdout.count("prog/xdp") == 1),
              sensor.said()[-800:] + sh("ip -d link show gone0").stdout)
        before = source().get("packets", 0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            for _ in range(3):
                s.sendto(b"x", ("10.88.0.255", 9))
        check("interface back: packets are counted on", within(5, lambda: source().get("packets", 0) > before), source())
    finally:
        sensor.kill(signal.SIGTERM)
        sh("ip link del gone0")


def full_disk(tmp):
    disk = tmp / "disk"
    disk.mkdir()
    sh(f"mount -t tmpfs -o size=600k tmpfs {disk}")
    node = Node()
    sensor = Sensor(ENTENTE, tmp / "full", node, 'enforcer = "nft"', f'[history]\nmax_mib = 1\n[export]\nforms = ["text"]\ndir = "{disk}/exports"')
    config = sensor.folder / "sensor.toml"
    config.write_text(config.read_text().replace('state_dir = "state"', f'state_dir = "{disk}/state"'))
    sensor.state = disk / "state"
    sensor.start()
    blocked = lambda text: text in sh("nft list set inet entente block4").stdout
    try:
        node.add(address(1, "198.51.100.1"))
        within(5, lambda: blocked("198.51.100.1"))
        with open(disk / "ballast", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass
        node.add(*[address(i, f"198.51.100.{i}") for i in range(2, 40)])
        check("disk full: what comes is blocked all the same", within(5, lambda: blocked("198.51.100.39")), sensor.said()[-500:])
        within(4, lambda: False)
        said = sensor.said()
        check("disk full: said once for each thing that cannot be kept", said.count("lease book:") == 1 and said.count("level=error") < 8 and "objects:" in said, said[-1500:])
        asked = json.loads(subprocess.run([ENTENTE, "-o", "json", "lease", "list", "--state", str(sensor.state)], capture_output=True, text=True).stdout.splitlines()[0])
        check("disk full: people are still answered", asked["state"] == "active", asked)
        sensor.kill()
        sensor.start()
        check("disk full: it starts, and blocks what it knew", within(5, lambda: blocked("198.51.100.1")) and sensor.process.poll() is None, sensor.said()[-800:])
        check("disk full: and what the node has", within(8, lambda: blocked("198.51.100.39")), sensor.said()[-800:])
        os.remove(disk / "ballast")
        check("room again: the exports too", within(12, lambda: (disk / "exports/addresses.txt").read_text().count("198.51.100.") == 39), sensor.status().get("exports"))
        check("room again: said, and kept", within(8, lambda: "lease book: is well again" in sensor.said()), sensor.said()[-800:])
        within(5, lambda: (sensor.state / "objects.jsonl").read_text().count("indicator--") >= 39)
        node.objects.clear()  # the node has nothing to give any more: what follows comes from the disk
        sensor.kill()
        sensor.start()
        check("room again: after a restart nothing is missing", within(5, lambda: len(sensor.targets()) == 39), (len(sensor.targets()), sensor.said()[-500:]))
    finally:
        sensor.kill(signal.SIGTERM)
        sh(f"nft delete table inet entente; umount {disk}")


def full_sets(tmp):
    sh("ip link add full0 type veth peer name full1; ip link set full0 up; ip link set full1 up")
    node = Node()
    sensor = Sensor(ENTENTE, tmp / "sets", node, 'enforcer = "both"\nxdp_mode = "generic"\npin_dir = "/sys/fs/bpf/full"\nxdp_capacity = 5\ninterfaces = ["full0"]').start()
    held = lambda: sh("nft list set inet entente block4").stdout.count("198.51.100.")
    try:
        node.add(*[address(i, f"198.51.100.{i}") for i in range(1, 13)])
        check("map full: as many as fit are in force, the first ones", within(6, lambda: held() == 5) and "198.51.100.5 " in sh("nft list set inet entente block4").stdout, held())
        left = lambda: sensor.status().get("leases", {}).get("left_out")
        check("map full: the rest is counted", within(5, lambda: left() == 7), sensor.status().get("leases"))
        within(2.5, lambda: False)
        check("map full: said once", sensor.said().count("no room for") == 1 and len(events(sensor, "enforcer_full")) == 1, sensor.said()[-600:])
        node.add(*[address(i, f"198.51.100.{i}", version=2, revoked=True) for i in range(1, 9)])
        check("room again: what waited comes in, and it is said", within(6, lambda: held() == 4 and left() == 0) and within(3, lambda: "everything fits again" in sensor.said()), (held(), left()))
    finally:
        sensor.kill(signal.SIGTERM)
        sh("ip link del full0; nft delete table inet entente; rm -rf /sys/fs/bpf/full")


def resolver_down(tmp):
    node = Node()
    sensor = Sensor(ENTENTE, tmp / "resolver", node, 'enforcer = "none"', '[rpz]\nlisten = "127.0.0.1:5455"\nunsigned_secondaries = ["127.0.0.1:5399"]').start()
    rpz = lambda: sensor.status().get("rpz", {})
    try:
        node.add(indicator(1, "[domain-name:value = 'evil.example']"))
        check("resolver down: the zone has the name", within(5, lambda: rpz().get("names") == 1), rpz())
        check("resolver down: what it did not answer is counted", within(15, lambda: rpz().get("unanswered", 0) >= 1), rpz())
        node.add(indicator(2, "[domain-name:value = 'bad.example']"))
        check("resolver down: it goes on", within(5, lambda: rpz().get("names") == 2) and sensor.process.poll() is None, rpz())
        check("resolver down: not said again and again", sensor.said().count("5399") <= 2, sensor.said()[-500:])
        # It comes up and is told, and may fetch.
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", 5399))
        s.settimeout(10)
        node.add(indicator(3, "[domain-name:value = 'third.example']"))
        try:
            told = s.recv(512)
        except OSError:
            told = b""
        check("resolver up: it is told of the change", len(told) > 12 and (told[2] >> 3 & 15) == 4, told)
    finally:
        sensor.kill(signal.SIGTERM)


def bad_logs(tmp):
    node = Node()
    log = tmp / "dns.log"
    log.write_text("")
    sensor = Sensor(ENTENTE, tmp / "logs", node, 'enforcer = "none"', f'[logs]\nfiles = ["{log}"]\nlisten = ["udp:127.0.0.1:5520", "tcp:127.0.0.1:5520", "unix:{tmp}/log.sock"]').start()
    seen = lambda name: any(e["value"].lower() == name for e in events(sensor, "detection"))
    names = [f"evil{i}.example" for i in range(12)]
    line = lambda i: json.dumps({"ts": time.time(), "query": names[i], "answers": []}).encode()
    try:
        node.add(*[indicator(i + 1, f"[domain-name:value = '{n}']") for i, n in enumerate(names)])
        within(5, lambda: sensor.status().get("indicators") == len(names))

        def write(data):
            with open(log, "ab") as f:
                f.write(data)

        write(line(0) + b"\n")
        check("logs: a line", within(5, lambda: seen(names[0])))
        whole = line(1) + b"\n"
        write(whole[:25])
        time.sleep(1)
        write(whole[25:])
        check("logs: a line that came in two pieces", within(5, lambda: seen(names[1])))
        sensor.kill()
        whole = line(2) + b"\n"
        write(whole[:25])
        sensor.start()
        time.sleep(0.5)
        sensor.kill()
        write(whole[25:])
        sensor.start()
        check("logs: a line that was cut over two restarts", within(5, lambda: seen(names[2])))
        write(b'{"query":"' + b"a" * (10 << 20) + b'","x":"' + names[11].encode() + b'"}\n' + line(3) + b"\n")
        check("logs: a line of 10 MB, and the next", within(8, lambda: seen(names[3])), sensor.said()[-600:])
        write(b"\xff\xfe\x80\x00\xc3\x28" * 50 + b"\n" + b'{"query":"\xff\xff"}\n' + line(4) + b"\n")
        check("logs: no UTF-8, and the next", within(5, lambda: seen(names[4])), sensor.said()[-600:])
        write(b'{"query":' * 5000 + b"\n" + b"[" * 100_000 + b"\n" + line(5) + b"\n")
        check("logs: nested without end, and the next", within(5, lambda: seen(names[5])), sensor.said()[-600:])
        # Rotated, and what was rotated away was compressed: a gigabyte of nothing.
        sensor.kill()
        write(line(6) + b"\n")
        os.rename(log, tmp / "dns.log.1")
        with open(tmp / "dns.log.1", "rb") as f, gzip.open(tmp / "dns.log.1.gz", "wb", compresslevel=1) as z:
            z.write(f.read())
            for _ in range(256):
                z.write(b"\0" * (1 << 20))
        os.remove(tmp / "dns.log.1")
        log.write_bytes(line(7) + b"\n")
        sensor.start()
        check("logs: a compressed generation that swells to 256 MiB, and the log after it", within(20, lambda: seen(names[7]) and seen(names[6])), sensor.said()[-900:])

        # The same over sockets; of datagrams that are too long the beginning is read.
        def tcp(data):
            with socket.create_connection(("127.0.0.1", 5520)) as s:
                try:
                    s.sendall(data)
                except OSError:
                    pass

        tcp(b"x" * (10 << 20) + b"\n" + line(8) + b"\n")
        check("TCP: a line of 10 MB, and the next", within(8, lambda: seen(names[8])), sensor.status().get("logs"))
        tcp(b"1048576000 " + b"y" * 1000)
        tcp(b"\xff\xfe\n" + line(9)[:20])  # cut off with the connection
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(tmp / "log.sock"))
            s.sendall(b"\x00" * 100_000 + b"\n" + line(9) + b"\n")
        check("Unix socket: zeros, and the next", within(5, lambda: seen(names[9])), sensor.status().get("logs"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"\xff" * 60000, ("127.0.0.1", 5520))
            s.sendto(os.urandom(500), ("127.0.0.1", 5520))
            s.sendto(line(10), ("127.0.0.1", 5520))
        check("UDP: noise, and the next", within(5, lambda: seen(names[10])), sensor.status().get("logs"))
        check("what was inside the line of 10 MB is not claimed", not seen(names[11]))
        check("the sensor is the same process still, and small", sensor.process.poll() is None and memory_mib(sensor) < 300, memory_mib(sensor))
        print(f"      at most {memory_mib(sensor)} MiB")
        said = sensor.said().splitlines()
        check("said once each: no flood of lines", len(said) < 60, len(said))
    finally:
        sensor.kill(signal.SIGTERM)
    # hunt over the same kind of bomb.
    (tmp / "iocs.txt").write_text("evil0.example\n")
    r = subprocess.run([ENTENTE, "hunt", "--indicators", tmp / "iocs.txt", tmp / "dns.log.1.gz"], capture_output=True, text=True)
    check("hunt: the bomb is searched in bounded memory, and its match is found", r.returncode == 0 and len(r.stdout.splitlines()) == 1, r.stdout + r.stderr)


own_namespace()
with tempfile.TemporaryDirectory() as folder:
    tmp = pathlib.Path(folder)
    wanted = os.environ.get("ENTENTE_FAULTS", "").split()
    for part in (vanishing_interface, full_disk, full_sets, resolver_down, bad_logs):
        if not wanted or part.__name__ in wanted:
            part(tmp)
check.finish()
