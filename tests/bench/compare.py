#!/usr/bin/env python3
"""One connection: smb-client + smb-server beside a bare copy over TCP, smbclient + smbd and iperf3, in interleaved rounds.

    tests/bench/compare.py [--rounds 7] [--size 1024] [--modes plain,signed,sealed] [--smoke]

Rows name source and sink; no row waits for a disk:
    file to null        a file on tmpfs, shared; to /dev/null at the client
    file to file        a file on tmpfs at the client; over a file on tmpfs that is there, which everybody empties first
    memory to null      a file of a memory share; to /dev/null at the client
    file to memory      a file on tmpfs at the client; over a file of a memory share
The bare copy (tests/examples/raw_copy.rs) reads, sends, receives and writes the same blocks with blocking calls and no protocol.
Times are those of the whole client process (start, connection, authentication, transfer, end). Prints Markdown: medians over the
rounds of the ratio to the bare copy, to Samba and to iperf3's one stream in the same round, and CPU seconds per GiB.
Needs `cargo build --release --bins --examples`, smbd, smbclient, iperf3.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
import peers

TICKS = os.sysconf("SC_CLK_TCK")
GIB = 1 << 30
# Name, whether the client gets, whether the server's side is memory.
ROWS = [("file to null", True, False), ("file to file", False, False), ("memory to null", True, True),
        ("file to memory", False, True)]


def cpu_of(pid):
    """CPU seconds of a process and of its children, living and waited for."""
    total = 0.0
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total = sum(map(int, fields[11:15])) / TICKS
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(cpu_of(int(child)) for child in (task / "children").read_text().split())
    except OSError:
        pass
    return total


def timed(words, server):
    """Runs a client; returns wall seconds and CPU seconds of client and server."""
    server_before, before = cpu_of(server), resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    wall = time.monotonic() - start
    if done.returncode or "NT_STATUS_" in done.stdout:
        raise RuntimeError(f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    client = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    time.sleep(0.1)  # let a forked smbd be reaped, or its CPU time is in neither account
    return wall, client, cpu_of(server) - server_before


class Ours:
    name = "ours"

    def __init__(self, work, share, local):
        self.server = peers.OurServer(work, "--memory-share", "memory", share=share)
        for name in ("source", "sink"):
            subprocess.run([peers.ours("smb-client"), "put", local, self.url("memory", name), "--quiet"], check=True)

    def url(self, share, name):
        return f"smb://{peers.USER}:{peers.PASSWORD}@127.0.0.1:{self.server.port}/{share}/{name}"

    def words(self, mode, gets, memory, local):
        share = "memory" if memory else "share"
        protect = {"plain": ["--signing", "off"], "signed": ["--signing", "required"], "sealed": ["--encrypt"]}[mode]
        moves = ["get", self.url(share, "source"), "/dev/null"] if gets else ["put", local, self.url(share, "sink")]
        return [peers.ours("smb-client"), *moves, "--quiet", *protect]

    def pid(self, _):
        return self.server.proc.pid

    def end(self):
        self.server.stop()


class Samba:
    name = "Samba"

    def __init__(self, work, share, _):
        self.server = peers.Smbd(work, share=share)

    def words(self, mode, gets, memory, local):
        if memory:
            return None
        protect = {"plain": "off", "signed": "sign", "sealed": "encrypt"}[mode]
        command = "get source /dev/null" if gets else f"put {local} sink"
        return [peers.tool("smbclient"), "-s", "/dev/null", "//127.0.0.1/share", "-p", str(self.server.port), "-U",
                f"{peers.USER}%{peers.PASSWORD}", "-m", "SMB3_11", f"--client-protection={protect}", "-c", command]

    def pid(self, _):
        return self.server.proc.pid

    def end(self):
        self.server.stop()


class Bare:
    """One server for what is given out, one for what is overwritten, one for memory."""
    name = "bare"

    def __init__(self, _, share, local):
        self.served = {}
        for key, what in ((True, False), share / "source"), ((False, False), share / "sink"), (None, f"memory:{local.stat().st_size}"):
            proc = subprocess.Popen([peers.ours("examples/raw_copy"), "serve", what], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, text=True, start_new_session=True)
            self.served[key] = proc, proc.stdout.readline().split()[1]

    def of(self, row):
        _, gets, memory = row
        return self.served[None if memory else (gets, memory)]

    def words(self, mode, gets, memory, local):
        if mode != "plain":
            return None
        address = self.of((None, gets, memory))[1]
        return [peers.ours("examples/raw_copy"), *(["get", address, "/dev/null"] if gets else ["put", address, local])]

    def pid(self, row):
        return self.of(row)[0].pid

    def end(self):
        for proc, _ in self.served.values():
            peers.stop(proc)


def iperf(seconds):
    port = peers.free_port()
    server = subprocess.Popen([peers.tool("iperf3"), "-s", "-1", "-p", str(port)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(0.3)
    try:
        done = subprocess.run([peers.tool("iperf3"), "-c", "127.0.0.1", "-p", str(port), "-t", str(seconds), "-J"],
                              capture_output=True, text=True, check=True)
    finally:
        peers.stop(server)
    return json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"] / 8


def prepare(directory, size):
    """The file to send, the same on the share, and one to overwrite."""
    share = Path(directory) / "share"
    share.mkdir()
    local = Path(directory) / "local"
    block = os.urandom(1 << 20)
    for path in (local, share / "source", share / "sink"):
        with open(path, "wb") as out:
            for _ in range(size >> 20):
                out.write(block)
    return share, local


def measure(options):
    """(bytes per second, CPU seconds per GiB of client and of server) by (row, mode, program): one list entry per round."""
    size = options.size << 20
    tmpfs = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    figures = {}
    with tempfile.TemporaryDirectory(dir=tmpfs) as fast, tempfile.TemporaryDirectory() as work:
        share, local = prepare(fast, size)
        programs = []
        try:
            for program in (Ours, Samba, Bare):
                programs.append(program(work, share, local))
            for number in range(options.rounds):
                figures.setdefault("iperf3", []).append(iperf(1))
                for row in ROWS:
                    for mode in options.modes:
                        # Whoever goes first finds the caches as the other left them: take turns.
                        for program in programs if number % 2 == 0 else programs[::-1]:
                            words = program.words(mode, *row[1:], local)
                            if words:
                                wall, client, server = timed(words, program.pid(row))
                                figures.setdefault((row[0], mode, program.name), []).append(
                                    (size / wall, client * GIB / size, server * GIB / size))
                print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        finally:
            for program in programs:
                program.end()
    return figures


def report(figures, options):
    middle = statistics.median
    rates = figures["iperf3"]
    print(f"iperf3, one stream: {middle(rates) * 8e-9:.1f} Gbit/s ({min(rates) * 8e-9:.1f} to {max(rates) * 8e-9:.1f} over "
          f"{options.rounds} rounds of {options.size} MiB)\n")
    print("| source and sink | mode | ours, Gbit/s | ÷ bare copy | ÷ Samba | ÷ iperf3 | CPU-s/GiB client + server: ours | over plain | bare "
          "copy | Samba |")
    print("|---" * 10 + "|")
    for name, _, _ in ROWS:
        plain = figures[name, "plain", "ours"] if "plain" in options.modes else None
        bare = figures.get((name, "plain", "bare"))
        for mode in options.modes:
            ours, samba = figures[name, mode, "ours"], figures.get((name, mode, "Samba"))

            def ratio(other):
                return f"{middle(a[0] / b[0] for a, b in zip(ours, other)):.2f}" if other else ""

            def cpu(rows):
                return f"{middle(row[1] for row in rows):.2f} + {middle(row[2] for row in rows):.2f}" if rows else ""

            over = ""
            if plain and mode != "plain":
                over = " + ".join(f"{middle(a[at] - b[at] for a, b in zip(ours, plain)):.2f}" for at in (1, 2))
            print(f"| {name} | {mode} | {middle(row[0] for row in ours) * 8e-9:.1f} | {ratio(bare)} | {ratio(samba)} | "
                  f"{middle(a[0] / b for a, b in zip(ours, rates)):.2f} | {cpu(ours)} | {over} | "
                  f"{cpu(bare) if mode == 'plain' else ''} | {cpu(samba)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=1024, help="MiB per transfer")
    parser.add_argument("--modes", default="plain,signed,sealed", type=lambda text: text.split(","))
    parser.add_argument("--smoke", action="store_true", help="one small round: everything runs, nothing is measured")
    options = parser.parse_args()
    if options.smoke:
        options.rounds, options.size = 1, 16
    report(measure(options), options)


if __name__ == "__main__":
    main()
