#!/usr/bin/env python3
"""Cuts the SMB2 messages out of a capture of SMB Direct over iWARP: iwarp.py CAPTURE OUT_DIR

Layers, outermost first: MPA (RFC 5044: framed PDUs, CRC present, no markers), DDP/RDMAP (RFC 5041, 5040), SMB Direct
data transfer messages ([MS-SMBD] 2.2.3). Tagged segments (RDMA READ and WRITE payload) are left out.
"""
import struct
import sys
from pathlib import Path

import golden

SENDS = {3, 4, 5, 6}  # Send, with Invalidate, with Solicited Event, with both
STARTS = (b"MPA ID Req Frame", b"MPA ID Rep Frame")


def sends(stream):
    """The payload of each RDMAP Send of one direction, with the stream offset where it ended."""
    at = 20 + struct.unpack_from(">H", stream, 18)[0]  # key, flags, revision, length of the private data
    whole = b""
    while at + 2 <= len(stream):
        size = struct.unpack_from(">H", stream, at)[0]
        end = at + 2 + size + (-(2 + size) % 4) + 4
        if end > len(stream):
            return
        pdu = stream[at + 2:at + 2 + size]
        tagged, last, opcode = pdu[0] & 0x80, pdu[0] & 0x40, pdu[1] & 0x0F
        if not tagged and opcode in SENDS:
            whole += pdu[18:]
            if last:
                yield end, whole
                whole = b""
        at = end


def messages(stream):
    """SMB2 messages of one direction: data transfer payloads joined until RemainingDataLength is 0."""
    whole = b""
    for n, (end, send) in enumerate(sends(stream)):
        if n == 0:
            continue  # the negotiation
        remaining, offset, size = struct.unpack_from("<III", send, 8)
        if size:
            whole += send[offset:offset + size]
            if not remaining:
                yield end, whole
                whole = b""


def conversations(data):
    flows = {}
    for number, (link, packet) in enumerate(golden.packets(data)):
        segment = golden.tcp_segment(link, packet)
        if segment:
            flow, sequence, flags, payload = segment
            flows.setdefault(flow, golden.Direction()).feed(number, sequence, flags, payload)
    for flow, there in flows.items():
        back = flows.get(flow[2:] + flow[:2])
        if back and there.data.startswith(STARTS[0]):
            found = [(d.when(end), response, message) for response, d in ((False, there), (True, back))
                     for end, message in messages(bytes(d.data))]
            found.sort(key=lambda f: (f[0], f[1]))
            yield [(not response, message) for _, response, message in found]


def main():
    selection = golden.Selection(1500)
    for frames in conversations(Path(sys.argv[1]).read_bytes()):
        selection.take(frames)
    selection.finish()
    print(f"{golden.write(selection, Path(sys.argv[2]))} messages in {sys.argv[2]}")


if __name__ == "__main__":
    main()
