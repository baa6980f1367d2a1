#!/usr/bin/env python3
"""Cuts the SMB Direct messages out of a capture of SMB Direct over iWARP: smbd.py CAPTURE OUT_DIR [MAX_BYTES]

Writes the two negotiation messages and one data transfer message of each kind ([MS-SMBD] 2.2.3: whole, first,
middle and last fragment, credits only, answer requested) of each direction, at most MAX_BYTES (1500) long; and all
messages of each direction, one per line, in client.lines and server.lines.
"""
import struct
import sys
from pathlib import Path

import golden
import iwarp


def kind(send, fragmented):
    _, _, flags, _, remaining, _, size = struct.unpack_from("<HHHHIII", send)
    if not size:
        name = "credits"
    elif fragmented:
        name = "middle" if remaining else "last"
    else:
        name = "first" if remaining else "whole"
    return name + ("-answer-requested" if flags & 1 else ""), bool(remaining)


def directions(data):
    flows = {}
    for number, (link, packet) in enumerate(golden.packets(data)):
        segment = golden.tcp_segment(link, packet)
        if segment:
            flow, sequence, flags, payload = segment
            flows.setdefault(flow, golden.Direction()).feed(number, sequence, flags, payload)
    for flow, there in flows.items():
        back = flows.get(flow[2:] + flow[:2])
        if back and there.data.startswith(iwarp.STARTS[0]):
            yield "client", bytes(there.data)
            yield "server", bytes(back.data)


def main():
    out, limit = Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1500
    out.mkdir(parents=True, exist_ok=True)
    written, counts = set(), {}
    for side, stream in directions(Path(sys.argv[1]).read_bytes()):
        fragmented = False
        sends = [send for _, send in iwarp.sends(stream)]
        (out / f"{side}.lines").write_text("".join(send.hex() + "\n" for send in sends))
        for n, send in enumerate(sends):
            if n == 0:
                name = "negotiate-request" if side == "client" else "negotiate-response"
            else:
                name, fragmented = kind(send, fragmented)
                name = f"{side}-{name}"
            counts[name] = counts.get(name, 0) + 1
            if name not in written and len(send) <= limit:
                written.add(name)
                lines = (send[at:at + 32].hex() for at in range(0, len(send), 32))
                (out / f"{name}.hex").write_text("".join(line + "\n" for line in lines))
    for name, count in sorted(counts.items()):
        print(f"{name}: {count}")


if __name__ == "__main__":
    main()
