#!/usr/bin/env python3
"""Records how Samba's clients ask Samba's smbd for its shares: tests/tools/rpc.py

Each exchange over the srvsvc pipe becomes smb-proto/tests/data/rpc/<name>.hex: one DCE/RPC fragment per line, in order,
`>` for the client's and `<` for the server's.
"""
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop"))
import golden
from peers import PASSWORD, ROOT, USER, Capture, Smbd, tool

OUT = ROOT / "smb-proto/tests/data/rpc"
PIPE_TRANSCEIVE = 0x0011C017
BUFFER_OVERFLOW = 0x80000005
# So many that the answer takes several fragments.
SHARES = "".join(f"[share {n}]\n\tpath = /srv/{n}\n\tcomment = Number {n} of many\n\n" for n in range(60))
CALLS = ["netshareenum 1", "netshareenumall 2", "netshareenum 0", "netshareenum 2", "netshareenum 501",
         "netshareenum 502", "netsharegetinfo share 1", "netsharegetinfo share 2", "netsharegetinfo share 502",
         "netsharegetinfo nothing 1"]


def payload(message, is_request):
    """The pipe's bytes in an SMB2 message."""
    status, command = struct.unpack_from("<IH", message, 8)
    if command == 11 and struct.unpack_from("<I", message, 68)[0] == PIPE_TRANSCEIVE:
        if is_request:
            at, size = struct.unpack_from("<II", message, 64 + 24)
        elif status in (0, BUFFER_OVERFLOW):
            at, size = struct.unpack_from("<II", message, 64 + 32)
        else:
            return b""
    elif command == 9 and is_request:
        at, size = struct.unpack_from("<HI", message, 64 + 2)
    elif command == 8 and not is_request and status in (0, BUFFER_OVERFLOW):
        at, size = message[64 + 2], struct.unpack_from("<I", message, 64 + 4)[0]
    else:
        return b""
    return message[at:at + size]


def fragments(frames):
    """The fragments of a connection, each with its direction, in order of their last byte."""
    waiting = {True: b"", False: b""}
    for is_request, frame in frames:
        if frame[:4] != b"\xfeSMB":
            continue
        for message in golden.parts(frame):
            waiting[is_request] += payload(message, is_request)
            while len(waiting[is_request]) >= 10:
                size = struct.unpack_from("<H", waiting[is_request], 8)[0]
                if len(waiting[is_request]) < size:
                    break
                yield is_request, waiting[is_request][:size]
                waiting[is_request] = waiting[is_request][size:]


def record(name, server, work, words):
    with Capture(Path(work) / "pcap", server.port) as capture:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        path = capture.stop()
    lines = []
    for frames in golden.conversations(path.read_bytes(), server.port):
        lines += [f"{'>' if is_request else '<'} {fragment.hex()}\n" for is_request, fragment in fragments(frames)]
    if not lines:
        raise SystemExit(f"{name}: nothing was said\n{done.stdout}")
    (OUT / f"{name}.hex").write_text("".join(lines))
    print(f"{name}: {len(lines)} fragments")


def main():
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        login = ["-U", f"{USER}%{PASSWORD}"]
        with Smbd(Path(work) / "one") as server:
            port = ["-s", "/dev/null", "-p", str(server.port)]
            record("smbclient-list", server, work, [tool("smbclient"), *port, "-L", "//127.0.0.1/", "-m", "SMB3_11", *login])
            for call in CALLS:
                words = [tool("rpcclient"), *port, *login, "127.0.0.1", "-c", call]
                record(f"rpcclient-{call.replace(' ', '-')}", server, work, words)
        with Smbd(Path(work) / "many", sections=SHARES) as server:
            port = ["-s", "/dev/null", "-p", str(server.port)]
            record("smbclient-list-many", server, work, [tool("smbclient"), *port, "-L", "//127.0.0.1/", "-m", "SMB3_11", *login])


if __name__ == "__main__":
    main()
