#!/usr/bin/env python3
"""Measures what connections cost: connections.py [--idle N] [--cycles N] [--profile debug|release]

Time from connect to disconnect (log-on and share connection in between) with one client, and the server's memory
per idle authenticated connection: the growth of its resident set over the first N, beginning with a warm server.
Needs `cargo build --release --bins --example connections`.
"""
import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def resident(pid):
    """Bytes of memory of a process, files not counted."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status).group(1)) * 1024


def client(target, address, cycles, idle):
    command = [target / "examples/connections", address, "alice", "secret", "scratch", str(cycles), str(idle)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def until(process, word):
    for line in process.stdout:
        if line.startswith(word):
            return line.split()[1]
    sys.exit("the client has failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--profile", default="release")
    options = parser.parse_args()
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / options.profile
    server = subprocess.Popen(
        [target / "smb-server", "--listen", "127.0.0.1:0", "--user", "alice:secret", "--memory-share", "scratch"],
        stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().split()[2]
        warm = client(target, address, options.cycles, 1)
        median = until(warm, "median")
        until(warm, "idle")
        before = resident(server.pid)
        held = client(target, address, 0, options.idle)
        until(held, "idle")
        per_connection = (resident(server.pid) - before) / options.idle
        for process in (warm, held):
            process.communicate("")
        print(f"connect to disconnect: {median} ms (median of {options.cycles})")
        print(f"memory per idle connection: {per_connection / 1024:.1f} KiB (of {options.idle})")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
