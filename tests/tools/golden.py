#!/usr/bin/env python3
"""Cuts SMB2 messages out of a packet capture, for the golden tests.

usage: golden.py CAPTURE OUT_DIR [--port N] [--max BYTES] [--keep-all]

Reads pcap or pcapng (Ethernet, Linux cooked or raw IP), reassembles each TCP direction, splits the 4-byte frames
and the compounds, and writes a de-duplicated selection: OUT_DIR/<nn>-<command>[-<variant>]-<request|response>.hex,
one whole message per file, 32 bytes per line. `index.tsv` says what each file is. A compound is kept as one frame
(`compound-…`); its parts appear on their own only where the capture has no message of that kind by itself.
Where several connections are captured, files of the first one come first and are complete up to the end of its
session set-up, so that the pre-authentication hash can be computed from them.
"""
import argparse
import struct
import sys
from pathlib import Path

COMMANDS = ["negotiate", "session-setup", "logoff", "tree-connect", "tree-disconnect", "create", "close", "flush",
            "read", "write", "lock", "ioctl", "cancel", "echo", "query-directory", "change-notify", "query-info",
            "set-info", "oplock-break", "server-to-client"]
IOCTLS = {0x00140204: "validate-negotiate", 0x001401FC: "network-interfaces", 0x00060194: "dfs-referrals",
          0x000601B0: "dfs-referrals-ex", 0x0011C017: "pipe-transceive", 0x00110018: "pipe-wait",
          0x00140078: "resume-key", 0x001440F2: "copychunk", 0x001480F2: "copychunk-write",
          0x000900C4: "set-sparse", 0x000980C8: "set-zero-data", 0x000940CF: "query-allocated-ranges",
          0x00144064: "enumerate-snapshots", 0x001401D4: "resiliency", 0x000900A8: "get-reparse-point",
          0x000900A4: "set-reparse-point", 0x0009009C: "get-object-id", 0x000900C0: "create-or-get-object-id",
          0x0009003C: "get-compression", 0x0009C040: "set-compression", 0x00098344: "duplicate-extents",
          0x000980C4: "set-sparse-2"}
CONTEXTS = {bytes.fromhex("93AD25509CB411E7B42383DE968BCD7C"): "posix"}
INFO_TYPES = {1: "file", 2: "fs", 3: "security", 4: "quota"}
STATUSES = {0x00000103: "pending", 0x00000105: "more-entries", 0x80000005: "buffer-overflow",
            0x80000006: "no-more-files", 0xC0000016: "more-processing", 0xC0000022: "access-denied",
            0xC0000034: "name-not-found", 0xC0000035: "name-collision", 0xC000003A: "path-not-found",
            0xC000006D: "logon-failure", 0xC00000CC: "bad-network-name", 0xC0000101: "not-empty",
            0xC00000BB: "not-supported", 0xC000000D: "invalid-parameter", 0xC0000010: "invalid-device-request",
            0xC000000F: "no-such-file", 0xC0000011: "end-of-file", 0xC0000120: "cancelled",
            0xC0000225: "not-found", 0xC00000BA: "is-a-directory", 0xC0000103: "not-a-directory",
            0xC0000055: "lock-not-granted", 0xC0000043: "sharing-violation", 0x0000010C: "notify-enum-dir",
            0xC000007E: "range-not-locked", 0xC0000128: "file-closed", 0xC0000054: "file-lock-conflict",
            0xC0000002: "not-implemented", 0xC0000257: "path-not-covered", 0x8000002D: "stopped-on-symlink",
            0xC0000023: "buffer-too-small", 0xC0000004: "info-length-mismatch", 0xC0000003: "invalid-info-class",
            0xC0000203: "user-session-deleted", 0xC00000C9: "network-name-deleted",
            0xC0000467: "file-not-available", 0xC000019C: "fs-driver-required"}


# --- capture files -------------------------------------------------------------------------------------------------

def packets(data):
    """Yields (link type, bytes) of every packet of a pcap or pcapng file."""
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        yield from pcapng_packets(data)
        return
    magic = struct.unpack_from("<I", data)[0]
    order = "<" if magic in (0xA1B2C3D4, 0xA1B23C4D) else ">"
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from(order + "I", data, at + 8)[0]
        yield link, data[at + 16:at + 16 + size]
        at += 16 + size


def pcapng_packets(data):
    at, links, order = 0, [], "<"
    while at + 12 <= len(data):
        if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        kind, size = struct.unpack_from(order + "II", data, at)
        if kind == 1:
            links.append(struct.unpack_from(order + "H", data, at + 8)[0])
        elif kind == 6:
            interface, _, _, captured = struct.unpack_from(order + "IIII", data, at + 8)
            yield links[interface], data[at + 28:at + 28 + captured]
        elif kind == 3:
            yield links[0], data[at + 12:at + size - 4]
        at += size


def tcp_segment(link, packet):
    """(flow, sequence, flags, payload) of a TCP packet, else None. A flow is (source, port, destination, port)."""
    if link == 1:
        kind, ip = struct.unpack_from(">H", packet, 12)[0], packet[14:]
        if kind == 0x8100:
            ip = ip[4:]
    elif link == 113:
        ip = packet[16:]
    elif link == 276:
        ip = packet[20:]
    elif link in (12, 14, 101):
        ip = packet
    else:
        raise SystemExit(f"link type {link} is not understood")
    if len(ip) < 20:
        return None
    if ip[0] >> 4 == 4 and ip[9] == 6:
        total = struct.unpack_from(">H", ip, 2)[0] or len(ip)
        source, target, tcp = ip[12:16], ip[16:20], ip[(ip[0] & 15) * 4:total]
    elif ip[0] >> 4 == 6 and ip[6] == 6:
        total = struct.unpack_from(">H", ip, 4)[0] or len(ip)
        source, target, tcp = ip[8:24], ip[24:40], ip[40:40 + total]
    else:
        return None
    sport, dport, sequence = struct.unpack_from(">HHI", tcp)
    return (source, sport, target, dport), sequence, tcp[13], tcp[(tcp[12] >> 4) * 4:]


class Direction:
    """The bytes of one TCP direction, in order, with the packet number at which each byte range completed."""

    def __init__(self):
        self.next, self.waiting, self.data, self.marks = None, {}, bytearray(), []

    def feed(self, number, sequence, flags, payload):
        if flags & 2:
            self.next = (sequence + 1) & 0xFFFFFFFF
            return
        if not payload:
            return
        if self.next is None:
            self.next = sequence
        self.waiting.setdefault(sequence, payload)
        progress = True
        while progress:
            progress = False
            for start in list(self.waiting):
                ahead = (start - self.next) & 0xFFFFFFFF
                piece = self.waiting[start]
                if ahead == 0 or ahead > 0x80000000:
                    del self.waiting[start]
                    fresh = piece[(self.next - start) & 0xFFFFFFFF:]
                    if fresh:
                        self.data += fresh
                        self.next = (self.next + len(fresh)) & 0xFFFFFFFF
                        progress = True
        self.marks.append((len(self.data), number))

    def when(self, end):
        return next((n for length, n in self.marks if length >= end), 1 << 60)


def conversations(data, port=None):
    """Yields for each TCP connection, in order of appearance, its frames [(is_request, bytes)] in order of time."""
    flows, order = {}, []
    for number, (link, packet) in enumerate(packets(data)):
        segment = tcp_segment(link, packet)
        if not segment:
            continue
        flow, sequence, flags, payload = segment
        back = flow[2:] + flow[:2]
        if flow not in flows and back not in flows:
            flows[flow], flows[back] = Direction(), Direction()
            order.append((flow, back))
        flows[flow].feed(number, sequence, flags, payload)
    for flow, back in order:
        if port in (flow[1],):
            flow, back = back, flow
        if port is not None and port != flow[3]:
            continue
        found = []
        for is_request, direction in ((True, flows[flow]), (False, flows[back])):
            at = 0
            body = direction.data
            while at + 4 <= len(body):
                size = int.from_bytes(body[at + 1:at + 4], "big")
                if at + 4 + size > len(body):
                    break
                found.append((direction.when(at + 4 + size), not is_request, bytes(body[at + 4:at + 4 + size])))
                at += 4 + size
        found.sort(key=lambda f: (f[0], f[1]))
        yield [(not response, frame) for _, response, frame in found]


def relaid(data, port, new_port):
    """The conversations as a fresh pcap file on another port: in order, without retransmissions and window probes."""
    out = bytearray(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 20, 101))
    count = 0
    for n, frames in enumerate(conversations(data, port)):
        ports, at = (20000 + n, new_port), [1, 1]
        pieces = [(True, 2, b""), (False, 18, b"")]
        for is_request, frame in frames:
            stream = len(frame).to_bytes(4, "big") + frame
            pieces += [(is_request, 24, stream[i:i + 60000]) for i in range(0, len(stream), 60000)]
        for is_request, flags, payload in pieces:
            way = 0 if is_request else 1
            tcp = struct.pack(">HHIIBBHHH", ports[way], ports[1 - way], at[way] - (flags & 2 != 0), at[1 - way], 0x50,
                              flags, 0xFFFF, 0, 0) + payload
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, b"\x7f\0\0\x01", b"\x7f\0\0\x01")
            out += struct.pack("<IIII", count // 1000, count % 1000 * 1000, len(ip + tcp), len(ip + tcp)) + ip + tcp
            at[way] += len(payload)
            count += 1
    return bytes(out)


# --- messages ------------------------------------------------------------------------------------------------------

def parts(frame):
    """The messages of a compound frame, each up to its NextCommand."""
    out, at = [], 0
    while True:
        step = struct.unpack_from("<I", frame, at + 20)[0]
        out.append(frame[at:at + step] if step else frame[at:])
        if not step:
            return out
        at += step


def context_names(message, offset, length):
    """The names of the create contexts at a header-relative offset."""
    names, end = [], offset + length
    while length and offset + 16 <= end:
        step, name_at, name_size = struct.unpack_from("<IHH", message, offset)
        raw = message[offset + name_at:offset + name_at + name_size]
        names.append(CONTEXTS.get(raw) or (raw.decode("ascii").lower() if raw.isalnum() else raw.hex()[:8]))
        if not step:
            break
        offset += step
    return names


def variant(message, is_request, asked):
    """What makes this message a case of its own: information class, control code, contexts, status."""
    command = struct.unpack_from("<H", message, 12)[0]
    status = struct.unpack_from("<I", message, 8)[0]
    notes = []
    if not is_request:
        detail = asked.get(struct.unpack_from("<Q", message, 24)[0])
        if detail:
            notes.append(detail)
        if command == 5 and status == 0:
            at, size = struct.unpack_from("<II", message, 64 + 80)
            notes = ["ctx-" + "-".join(context_names(message, at, size))] if size else []
        if status:
            notes.append(STATUSES.get(status, f"{status:08x}"))
        if command == 18:
            notes.append({24: "oplock", 44: "lease", 36: "lease-ack"}.get(struct.unpack_from("<H", message, 64)[0], ""))
        return "-".join(n for n in notes if n)
    body = message[64:]
    if command == 5:
        at, size = struct.unpack_from("<II", message, 64 + 48)
        notes = ["ctx-" + "-".join(context_names(message, at, size))] if size else []
        if struct.unpack_from("<H", body, 46)[0] == 0:
            notes.insert(0, "root")
    elif command in (8, 9):
        size = struct.unpack_from("<I", body, 4)[0]
        notes = [str(size)] if size <= 1 else []
    elif command == 10:
        notes = [f"{struct.unpack_from('<I', body, 24 + 16)[0]:x}", f"{struct.unpack_from('<H', body, 2)[0]}"]
    elif command == 11:
        code = struct.unpack_from("<I", body, 4)[0]
        notes = [IOCTLS.get(code, f"{code:08x}")]
    elif command == 14:
        notes = [f"class{body[2]}"]
    elif command == 16:
        notes = [INFO_TYPES.get(body[2], f"type{body[2]}")] + ([f"class{body[3]}"] if body[2] in (1, 2) else [])
    elif command == 17:
        notes = [INFO_TYPES.get(body[2], f"type{body[2]}")] + ([f"class{body[3]}"] if body[2] in (1, 2) else [])
    elif command == 18:
        notes = [{24: "oplock", 36: "lease"}.get(struct.unpack_from("<H", body)[0], "")]
    return "-".join(n for n in notes if n)


class Selection:
    """What has been kept so far: the first message of each kind, within a size limit."""

    def __init__(self, limit, keep_all=False, sealed=1 << 30):
        self.sealed = sealed
        self.limit, self.keep_all, self.seen, self.kept, self.single = limit, keep_all, set(), [], set()
        self.spare = []

    def add(self, name, is_request, raw, note):
        way = "request" if is_request else "response"
        fresh = (name, way) not in self.seen
        self.seen.add((name, way))
        if (fresh or self.keep_all) and len(raw) <= self.limit:
            self.kept.append((name, way, raw, note))
        elif fresh:
            self.seen.discard((name, way))

    def take(self, frames):
        asked, leg = {}, 0
        for is_request, frame in frames:
            magic = frame[:4]
            if magic == b"\xffSMB":
                self.add("smb1-negotiate", is_request, frame, "")
            elif magic == b"\xfdSMB":
                self.sealed -= 1
                if self.sealed >= 0:
                    self.add(f"sealed-{self.sealed}", is_request, frame, "encrypted, in the order of the wire")
            elif magic == b"\xfcSMB":
                self.add("compressed", is_request, frame, "")
            elif magic == b"\xfeSMB":
                leg = self.plain(frame, is_request, asked, leg)

    def plain(self, frame, is_request, asked, leg):
        names, pieces = [], parts(frame)
        for message in pieces:
            command, flags = struct.unpack_from("<H", message, 12)[0], struct.unpack_from("<I", message, 16)[0]
            word = COMMANDS[command] if command < len(COMMANDS) else f"command{command}"
            try:
                what = variant(message, is_request, asked)
            except struct.error:
                what = "odd"  # shorter than its kind should be: a test client's deliberate mistake
            mid = struct.unpack_from("<Q", message, 24)[0]
            if is_request and command != 12:
                asked[mid] = what if command not in (5,) else ""
            if command == 1:
                leg += is_request
                what = "-".join(n for n in (f"leg{leg}", what if not is_request else "") if n)
            name = "-".join(n for n in (word, what, "signed" if flags & 8 and command not in (1, 3) else "") if n)
            names.append((name, word, message, f"mid={mid} status={struct.unpack_from('<I', message, 8)[0]:08x} "
                          f"flags={flags:08x} session={struct.unpack_from('<Q', message, 40)[0]:016x}"))
        if len(pieces) == 1:
            name, _, message, note = names[0]
            self.single.add((name, is_request))
            self.add(name, is_request, message, note)
        else:
            tail = "-".join(what for what in names_short(names))
            self.add("compound-" + tail, is_request, frame, f"{len(pieces)} messages")
            self.spare += [(name, is_request, message, note) for name, _, message, note in names]
        return leg

    def finish(self):
        for name, is_request, message, note in self.spare:
            if (name, is_request) not in self.single:
                self.add(name + "-part", is_request, message, note + " cut from a compound")


def names_short(names):
    """The commands of a compound, with the information class or status where there is one."""
    return [name.replace("query-info", "qi").replace("set-info", "si").replace("query-directory", "qd")
            for name, _, _, _ in names]


def hex_lines(raw):
    return "".join(raw[i:i + 32].hex() + "\n" for i in range(0, len(raw), 32))


def write(selection, out):
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.hex"):
        old.unlink()
    width = max(2, len(str(len(selection.kept) - 1)))
    lines = ["file\tbytes\tnote\n"]
    for n, (name, way, raw, note) in enumerate(selection.kept):
        word = "sealed" if name.startswith("sealed-") else name[:80]
        file = f"{n:0{width}}-{word}-{way}.hex"
        (out / file).write_text(hex_lines(raw))
        lines.append(f"{file}\t{len(raw)}\t{note}\n")
    (out / "index.tsv").write_text("".join(lines))
    return len(selection.kept)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("capture", type=Path)
    args.add_argument("out", type=Path)
    args.add_argument("--port", type=int, help="the server's port (default: whoever is called)")
    args.add_argument("--max", type=int, default=1500, help="leave out larger messages (default 1500 bytes)")
    args.add_argument("--keep-all", action="store_true", help="no de-duplication")
    args = args.parse_args()
    selection = Selection(args.max, args.keep_all)
    for frames in conversations(args.capture.read_bytes(), args.port):
        selection.take(frames)
    selection.finish()
    print(f"{write(selection, args.out)} messages in {args.out}")


if __name__ == "__main__":
    sys.exit(main())
