#!/usr/bin/env python3
"""Records our traffic with Samba on loopback and has tshark read it: captures.py [--self-check] [--only TEXT] [--keep DIR]

For each case tshark must find no malformed packet, no expert error and no bad signature, must read as many messages
as an independent reader of the stream finds frames, and must decrypt every sealed one with the key log. What was asked
for must be on the wire: every message sealed, or signed, with the algorithm of the case; no nonce twice.
"""
import argparse
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import golden
from matrix import PAIRS, SELF_CHECK, digest, expect, start
from peers import Capture, Missing, OurServer, Refused, Smbclient, Smbd, decode, tail

CASES = [("2.0.2", "plain", None), ("2.1", "signed", None), ("3.0", "signed", None), ("3.0.2", "sealed", None),
         ("3.1.1", "plain", None), ("3.1.1", "signed", "gmac"), ("3.1.1", "signed", "cmac"), ("3.1.1", "signed", "hmac"),
         ("3.1.1", "sealed", "aes-128-gcm"), ("3.1.1", "sealed", "aes-256-gcm"), ("3.1.1", "sealed", "aes-128-ccm"),
         ("3.1.1", "sealed", "aes-256-ccm")]
SIGNING_IDS = {"hmac": 0, "cmac": 1, "gmac": 2}
CIPHER_IDS = {"aes-128-ccm": 1, "aes-128-gcm": 2, "aes-256-ccm": 3, "aes-256-gcm": 4}
DIALECT_IDS = {"2.0.2": 0x202, "2.1": 0x210, "3.0": 0x300, "3.0.2": 0x302, "3.1.1": 0x311}
FIELDS = ["frame.number", "tcp.srcport", "smb2.cmd", "smb2.flags.signature", "smb2.flags.response", "smb2.nt_status",
          "smb2.dialect", "smb2.negotiate_context.cipher_id", "smb2.negotiate_context.signing_id", "smb2.bad_signature",
          "smb2.good_signature", "smb2.header.transform.nonce", "smb2.header.transform.enc_data", "_ws.malformed",
          "_ws.expert.severity", "_ws.expert.message"]
# tshark takes the length for NetBIOS's 17 bits on any other port, and loses messages around TCP window probes: it reads
# the same streams laid out afresh. It verifies no GMAC signature (4.0).
PORT = 445
ERROR = 0x00800000  # Wireshark's PI_ERROR
# Samba's server puts the NegTokenInit2 hint where RFC 4178 has the mechListMIC, like Windows; tshark 4.0 calls it malformed.
KNOWN_OF_SMBD = "BER Error: OctetString expected but class:UNIVERSAL(0) Constructed tag:16 was unexpected"
# tshark 4.0 takes the wrong bytes for the signatures of a compound: it finds fault with smbd's own, too. Both peers have
# verified them, or they would not have gone on.
KNOWN_OF_COMPOUNDS = "Invalid Signature"
NEGOTIATE, SESSION_SETUP, TREE_CONNECT, CANCEL, OPLOCK_BREAK = 0, 1, 3, 12, 18
PENDING = 0x103


def traffic(client, share, work):
    """Enough of each command, and of large messages, in a few connections."""
    rng, back = random.Random(11), Path(work) / "back"
    client.mkdir("d")
    for size in (0, 1, 65537, 3 * 1024 * 1024):
        source = Path(work) / "source"
        source.write_bytes(rng.randbytes(size))
        client.put(source, f"d/f{size}")
        client.get(f"d/f{size}", back)
        expect(f"{size} bytes after the way back", digest(back), digest(source))
        expect("size", client.size(f"d/f{size}"), size)
    expect("ls", len(client.ls("d")), 4)
    client.rename("d/f1", "d/renamed")
    for name in ("f0", "renamed", "f65537", f"f{3 * 1024 * 1024}"):
        client.delete(f"d/{name}")
    client.rmdir("d")
    if isinstance(client, Smbclient):
        client.run("mkdir s", "cd s", f"put {source} f", f"get f {back}", "ls", "allinfo f", "volume", "del f", "cd ..", "rmdir s")


def listed(packet, field):
    value = packet.get(field, [])
    return value if isinstance(value, list) else [value]


def numbers(packet, field):
    return [int(v, 0) for v in listed(packet, field)]


def frames_on_the_wire(path, port):
    """What the independent reader finds: (messages in the clear, sealed frames)."""
    clear = sealed = 0
    for frames in golden.conversations(path.read_bytes(), port):
        for _, frame in frames:
            sealed += frame[:4] == b"\xfdSMB"
            clear += len(golden.parts(frame)) if frame[:4] == b"\xfeSMB" else 0
    return clear, sealed


def complaints(packets, of_smbd):
    """tshark's own: malformed, expert errors, bad signatures."""
    for packet in packets:
        number = packet["frame.number"][0]
        messages = listed(packet, "_ws.expert.message")
        severities = numbers(packet, "_ws.expert.severity")
        excused = of_smbd and PORT in numbers(packet, "tcp.srcport") and KNOWN_OF_SMBD in messages
        compound = len(numbers(packet, "smb2.cmd")) > 1
        excused |= compound and set(messages) == {KNOWN_OF_COMPOUNDS}
        if "_ws.malformed" in packet and not excused:
            yield f"frame {number}: malformed: {messages}"
        if any(s >= ERROR for s in severities) and not excused:
            yield f"frame {number}: expert error: {messages}"
        if "smb2.bad_signature" in packet and not compound:
            yield f"frame {number}: bad signature"


def missing_protection(packets, protection):
    """Messages after session set-up that are not protected as asked for."""
    for packet in packets:
        number, sealed = packet["frame.number"][0], "smb2.header.transform.nonce" in packet
        commands = numbers(packet, "smb2.cmd")
        if sealed and not commands:
            yield f"frame {number}: sealed and not decrypted"
        if sealed != (protection == "sealed") and any(c > SESSION_SETUP for c in commands):
            yield f"frame {number}: commands {commands} are {'' if sealed else 'not '}sealed"
        statuses = numbers(packet, "smb2.nt_status")
        signed = [v not in ("0", "False") for v in listed(packet, "smb2.flags.signature")]
        for i, command in enumerate(commands):
            free = command in (NEGOTIATE, SESSION_SETUP, OPLOCK_BREAK) or PENDING in statuses
            if protection == "signed" and not free and not signed[i]:
                yield f"frame {number}: command {command} is not signed"


def wrong_choice(packets, case):
    """The server's NEGOTIATE response must name what the case asks for."""
    dialect, protection, algorithm = case
    answers = [p for p in packets if NEGOTIATE in numbers(p, "smb2.cmd") and PORT in numbers(p, "tcp.srcport")]
    if not answers:
        yield "no NEGOTIATE response"
    for packet in answers:
        if DIALECT_IDS[dialect] not in numbers(packet, "smb2.dialect"):
            yield f"dialect {packet.get('smb2.dialect')} instead of {dialect}"
        if algorithm in CIPHER_IDS and numbers(packet, "smb2.negotiate_context.cipher_id") != [CIPHER_IDS[algorithm]]:
            yield f"cipher {packet.get('smb2.negotiate_context.cipher_id')} instead of {algorithm}"
        if algorithm in SIGNING_IDS and numbers(packet, "smb2.negotiate_context.signing_id") != [SIGNING_IDS[algorithm]]:
            yield f"signing {packet.get('smb2.negotiate_context.signing_id')} instead of {algorithm}"


def repeated_nonces(path, port):
    """Nonces used twice by one direction of one session: fatal for GCM."""
    seen = set()
    for frames in golden.conversations(path.read_bytes(), port):
        for is_request, frame in frames:
            if frame[:4] == b"\xfdSMB":
                mark = (is_request, frame[44:52], frame[20:36])
                if mark in seen:
                    yield f"nonce {frame[20:36].hex()} is used twice"
                seen.add(mark)


def check(path, port, keylog, case, of_smbd):
    """Everything that is wrong with a capture, and a summary of what was read."""
    moved = path.with_suffix(".445.pcap")
    moved.write_bytes(golden.relaid(path.read_bytes(), port, PORT))
    gmac = case[0] == "3.1.1" and case[2] not in ("cmac", "hmac")
    packets = decode(moved, FIELDS, keylog if Path(keylog).exists() else None, signatures=not gmac)
    clear, sealed = frames_on_the_wire(path, port)
    read = sum(len(listed(p, "smb2.cmd")) for p in packets)
    wrong = [*complaints(packets, of_smbd), *missing_protection(packets, case[1]), *wrong_choice(packets, case),
             *repeated_nonces(path, port)]
    if read < clear + sealed or not clear:
        wrong.append(f"tshark reads {read} messages of {clear} clear ones and {sealed} sealed frames")
    good = sum("smb2.good_signature" in p for p in packets)
    logged = Path(keylog).exists() and Path(keylog).stat().st_size > 0
    if logged and case[1] == "signed" and not gmac and not good:
        wrong.append("tshark could verify no signature with the key log")
    if not logged and not (case[0].startswith("2") and of_smbd):  # smbclient prints no keys for 2.0.2 and 2.1
        wrong.append("the key log is missing or empty")
    return wrong, f"{read} messages, {sealed} sealed frames, {good} signatures verified by tshark"


def run_case(kind, server_kind, case, work):
    server = start(server_kind, work, *case[1:])
    path, keylog = Path(work) / "capture.pcap", Path(work) / "client.keylog"
    try:
        with Capture(path, server.port):
            traffic(kind(server.port, *case, keylog=keylog), server.share, work)
    except Exception as e:
        if server_kind is OurServer:
            raise RuntimeError(f"{e}\n--- smb-server says\n{tail(server.log, 20)}") from e
        raise
    finally:
        server.stop()
    logs = [server.keylog] if server_kind is OurServer else [keylog]
    return check(path, server.port, logs[0], case, server_kind is Smbd)


def attempt(name, kind, server, case, keep):
    began, outcome, note, wrong = time.monotonic(), "PASS", "", []
    work = tempfile.mkdtemp(prefix="smb-captures-")
    try:
        wrong, note = run_case(kind, server, case, work)
    except Missing as e:
        outcome, note = "SKIP", str(e)
    except (AssertionError, Refused, RuntimeError) as e:
        wrong = [str(e)]
    except Exception:
        wrong = [traceback.format_exc()]
    if wrong:
        outcome = "FAIL"
    if keep:
        target = Path(keep) / name.replace(" ", "-")
        shutil.copytree(work, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("ncalrpc", "smbd"))
    shutil.rmtree(work, ignore_errors=True)
    print(f"{outcome} {name} ({time.monotonic() - began:.1f} s) {note}", flush=True)
    for line in wrong[:20]:
        print("     " + line.strip().replace("\n", "\n     "), flush=True)
    return outcome


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--self-check", action="store_true", help="smbclient with smbd: tests this harness")
    args.add_argument("--only", default="", help="run the cases whose name contains this")
    args.add_argument("--keep", help="copy captures and key logs to this directory")
    args = args.parse_args()
    pairs = SELF_CHECK if args.self_check else {k: v for k, v in PAIRS.items() if k != "ours-ours"}
    chosen = [(" ".join(w for w in (pair, *case) if w), *kinds, case) for pair, kinds in pairs.items() for case in CASES]
    outcomes = [attempt(*c, args.keep) for c in chosen if args.only in c[0]]
    passed, failed, skipped = (outcomes.count(w) for w in ("PASS", "FAIL", "SKIP"))
    print(f"captures: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not outcomes or (skipped and os.environ.get("CI") == "true") else 0


if __name__ == "__main__":
    sys.exit(main())
