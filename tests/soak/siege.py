#!/usr/bin/env python3
"""usage: siege.py [--connections N] [--opens N]      hostile crowds over TCP against smb-server (siege/main.rs)

During each, another client is served, and the server's memory stays below `Limits::memory_bound`. Exit status 0: so it was.
Needs `cargo build --release -p smb-server` and `cargo build --release -p smb-tests --example siege`.
"""
import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop"))
import peers  # noqa: E402

PASSWORD = "Correct-Horse-7"  # smb_tests::PASSWORD


def descriptors(wanted):
    """As many as may be had of `wanted`, for this process and those it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    for count in (max(wanted, most), most):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
            return count
        except (ValueError, OSError):
            pass  # only root may have more
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--opens", type=int, default=100_000)
    arguments = parser.parse_args()
    # The server counts two descriptors for an open, and lets no user have more than half of all opens.
    allowed = descriptors(4 * arguments.opens + 20_000)
    connections = min(arguments.connections, allowed - 2000)
    if (allowed - 4096) // 4 < arguments.opens:
        print(f"notice: the server will hold {(allowed - 4096) // 4} opens, half of what {allowed} descriptors are enough for")
    if connections < arguments.connections:
        print(f"notice: {connections} connections instead of {arguments.connections}: only {allowed} descriptors are allowed")
    with tempfile.TemporaryDirectory(prefix="smb-siege-") as work:
        log, port = Path(work) / "log", peers.free_port()
        try:
            words = [peers.ours("smb-server"), "--listen", f"127.0.0.1:{port}", "--user", f"{peers.USER}:{PASSWORD}",
                     "--user", f"bob:{PASSWORD}",
                     "--memory-share", "memory"]
            siege = peers.ours("examples/siege")
        except peers.Missing as missing:
            print(f"SKIP siege: {missing}")
            return 1 if os.environ.get("CI") == "true" else 0
        server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=open(log, "wb"), stderr=subprocess.STDOUT,
                                  env=dict(os.environ, RUST_LOG="error"), start_new_session=True)
        try:
            peers.wait_for_port(port, server, log)
            status = subprocess.run([siege, f"127.0.0.1:{port}", str(server.pid), str(connections), str(arguments.opens)],
                                    stdin=subprocess.DEVNULL, check=False, timeout=900).returncode
        finally:
            ended = peers.stop(server)
        said = peers.tail(log)
    if status or ended or "panicked" in said:
        print(f"FAIL siege; smb-server has ended with {ended}:\n{said}")
        return 1
    print("PASS siege")
    return 0


if __name__ == "__main__":
    sys.exit(main())
