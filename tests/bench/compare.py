#!/usr/bin/env python3
"""One connection: smb-client + smb-server beside smbclient + smbd and iperf3, in interleaved rounds.

    tests/bench/compare.py [--rounds 5] [--size 1024] [--modes plain,signed,sealed] [--smoke]

Downloads go from a file on tmpfs to /dev/null, uploads from a file on tmpfs over an existing file on tmpfs, so that neither
side waits for a disk and no side allocates pages. Times are those of the whole client process (start, connection,
authentication, transfer, end), minus nothing. Prints Markdown: medians over the rounds of the ratio to iperf3's one stream in the
same round, of the ratio of ours to Samba's, and of CPU seconds per GiB of client and server.
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


def timed(words, server, **kind):
    """Runs a client; returns wall seconds and CPU seconds of client and server."""
    server_before, before = cpu_of(server), resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kind)
    wall = time.monotonic() - start
    if done.returncode or "NT_STATUS_" in done.stdout:
        raise RuntimeError(f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    client = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    time.sleep(0.1)  # let a forked smbd be reaped, or its CPU time is in neither account
    return wall, client, cpu_of(server) - server_before


class Ours:
    name = "smb-client + smb-server"

    def __init__(self, work, share):
        self.server = peers.OurServer(work, share=share)

    def words(self, mode, direction, local):
        url = f"smb://{peers.USER}:{peers.PASSWORD}@127.0.0.1:{self.server.port}/share/"
        protect = {"plain": ["--signing", "off"], "signed": ["--signing", "required"], "sealed": ["--encrypt"]}[mode]
        if direction == "download":
            return [peers.ours("smb-client"), "get", url + "source", "/dev/null", "--quiet", *protect]
        return [peers.ours("smb-client"), "put", local, url + "sink", "--quiet", *protect]


class Samba:
    name = "smbclient + smbd"

    def __init__(self, work, share):
        self.server = peers.Smbd(work, share=share)

    def words(self, mode, direction, local):
        protect = {"plain": "off", "signed": "sign", "sealed": "encrypt"}[mode]
        command = "get source /dev/null" if direction == "download" else f"put {local} sink"
        return [peers.tool("smbclient"), "-s", "/dev/null", "//127.0.0.1/share", "-p", str(self.server.port), "-U",
                f"{peers.USER}%{peers.PASSWORD}", "-m", "SMB3_11", f"--client-protection={protect}", "-c", command]


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
    size = options.size << 20
    tmpfs = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    figures = {}
    with tempfile.TemporaryDirectory(dir=tmpfs) as fast, tempfile.TemporaryDirectory() as work:
        share, local = prepare(fast, size)
        pairs = [Ours(work, share), Samba(work, share)]
        try:
            for number in range(options.rounds):
                reference = iperf(1 if options.smoke else 3)
                figures.setdefault("iperf3", []).append(reference)
                for mode in options.modes:
                    for direction in ("download", "upload"):
                        # Whoever goes first finds the caches as the other left them: take turns.
                        for pair in pairs if number % 2 == 0 else pairs[::-1]:
                            wall, client, server = timed(pair.words(mode, direction, local), pair.server.proc.pid)
                            figures.setdefault((mode, direction, pair.name), []).append(
                                (size / wall / reference, client * GIB / size, server * GIB / size))
                print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        finally:
            for pair in pairs:
                peers.stop(pair.server.proc)
    return figures


def report(figures, options):
    rates = [rate * 8e-9 for rate in figures["iperf3"]]
    print(f"iperf3, one stream: {statistics.median(rates):.1f} Gbit/s ({min(rates):.1f} to {max(rates):.1f} over "
          f"{options.rounds} rounds of {options.size} MiB)\n")
    print("| mode | direction | ours × iperf3 | Samba × iperf3 | ours ÷ Samba | ours CPU-s/GiB client + server | "
          "Samba CPU-s/GiB client + server |")
    print("|---|---|---|---|---|---|---|")
    for mode in options.modes:
        for direction in ("download", "upload"):
            ours, samba = (figures[mode, direction, name] for name in (Ours.name, Samba.name))
            middle = lambda rows, at: statistics.median(row[at] for row in rows)
            ratio = statistics.median(a[0] / b[0] for a, b in zip(ours, samba))
            print(f"| {mode} | {direction} | {middle(ours, 0):.2f} | {middle(samba, 0):.2f} | {ratio:.2f} | "
                  f"{middle(ours, 1):.2f} + {middle(ours, 2):.2f} | {middle(samba, 1):.2f} + {middle(samba, 2):.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=1024, help="MiB per transfer")
    parser.add_argument("--modes", default="plain,signed,sealed", type=lambda text: text.split(","))
    parser.add_argument("--smoke", action="store_true", help="one small round: everything runs, nothing is measured")
    options = parser.parse_args()
    if options.smoke:
        options.rounds, options.size = 1, 16
    report(measure(options), options)


if __name__ == "__main__":
    main()
