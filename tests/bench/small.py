#!/usr/bin/env python3
"""Small operations: our client and the crate smb2, each on our server and on smbd, in interleaved rounds.

    tests/bench/small.py [--rounds 7] [--milliseconds 700] [--files 2000] [--smoke]

4 KiB READs and WRITEs at random places of a file of 64 MiB, at depth 1 and 32; empty files created and removed; and
connection, log-on, share and the way back. All shares are on tmpfs, or in our server's memory. Requests are signed
(AES-128-GMAC), which both clients do unless told otherwise. Prints Markdown: medians over the rounds of the rates, and of the
ratio to smb2 on smbd in the same round.
Needs `cargo build --release`, smbd, and the crate smb2, which it builds (tests/interop/foreign).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
import foreign
import peers

SIZE = 64 << 20
REFERENCE = ("smb2", "smbd")


def told(words):
    """What a program says as JSON."""
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return flat(json.loads(done.stdout))


def flat(results):
    rates = {"connections per second, one after the other": 1e3 / results["connect_ms"]}
    for row in results["random"]:
        rates[f"4 KiB {row['operation'].upper()}, depth {row['depth']}"] = row["per_second"]
    for row in results["files"]:
        rates[f"files created and removed, depth {row['depth']}"] = row["per_second"]
    return rates


def ours(port, share, options):
    return told([peers.ours("smb-client"), "bench", f"smb://{peers.USER}:{peers.PASSWORD}@127.0.0.1:{port}/{share}/bench",
                 "--size", SIZE, "--seconds", options.milliseconds / 1e3, "--files", options.files, "--json"])


def smb2(port, share, options):
    return told([options.smb2, f"127.0.0.1:{port}", peers.USER, peers.PASSWORD, share, "bench", SIZE >> 12,
                 options.milliseconds, options.files])


def measure(options):
    """Rates by (client, server), one list entry per round."""
    tmpfs = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    figures = {}
    with tempfile.TemporaryDirectory(dir=tmpfs) as fast, tempfile.TemporaryDirectory() as work:
        for name in ("ours", "smbd"):
            (Path(fast) / name).mkdir()
        server = peers.OurServer(work, "--memory-share", "memory", share=Path(fast) / "ours")
        smbd = peers.Smbd(work, share=Path(fast) / "smbd")
        targets = {"local share": (server.port, "share"), "memory share": (server.port, "memory"), "smbd": (smbd.port, "share")}
        runs = [(client, target) for target in targets for client in ("ours", "smb2")]
        try:
            for number in range(options.rounds):
                for client, target in runs[number % len(runs):] + runs[:number % len(runs)]:
                    run = ours if client == "ours" else smb2
                    figures.setdefault((client, target), []).append(run(*targets[target], options))
                print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        finally:
            for each in (server, smbd):
                peers.stop(each.proc)
    return figures


def report(figures, options):
    middle = statistics.median
    columns = [("ours", "local share"), ("ours", "memory share"), ("ours", "smbd"), ("smb2", "local share"),
               ("smb2", "memory share")]
    print(f"Medians of {options.rounds} rounds; × is the ratio to smb2 on smbd.\n")
    print("| per second | smb2 on smbd | " + " | ".join(
        f"{'our client' if client == 'ours' else client} on {'our ' if target != 'smbd' else ''}{target}"
        for client, target in columns) + " |")
    print("|---" * (len(columns) + 2) + "|")
    for name in figures[REFERENCE][0]:
        reference = [rates[name] for rates in figures[REFERENCE]]
        cells = [f"{middle(reference):,.0f}"]
        for column in columns:
            rates = [rates[name] for rates in figures[column]]
            ratio = middle(rate / other for rate, other in zip(rates, reference))
            cells.append(f"{middle(rates):,.0f} ({ratio:.2f} ×)")
        print(f"| {name} | " + " | ".join(cells) + " |")
    milliseconds = middle(1e3 / rates["connections per second, one after the other"]
                          for rates in figures["ours", "local share"])
    print(f"\nConnection, log-on, share and the way back, ours to ours: {milliseconds:.2f} ms.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--milliseconds", type=int, default=700, help="of each random test")
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--smoke", action="store_true", help="one small round: everything runs, nothing is measured")
    options = parser.parse_args()
    if options.smoke:
        options.rounds, options.milliseconds, options.files = 1, 50, 50
    options.smb2 = foreign.rust("bench-smb2", profile="debug" if options.smoke else "release")
    report(measure(options), options)


if __name__ == "__main__":
    main()
