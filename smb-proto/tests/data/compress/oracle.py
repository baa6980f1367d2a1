#!/usr/bin/env python3
"""Compares smb_proto::compress with other implementations.

usage: oracle.py [--samba LIB] [--wimlib LIB] [--write] PROGRAM
  PROGRAM   the built example `compress` of smb-proto
  --samba   a shared library that exports lzxpress_compress and lzxpress_decompress (Samba 4.17: libndr-samba-samba4.so.0)
  --wimlib  libwim.so.15
  --write   also writes the streams of the others as fixtures, next to this file
needs the Python packages dissect.util (decompresses LZNT1, LZ77, LZ77+Huffman) and lz4; files given as FILES in the
environment, separated by spaces, are compared too
"""
import argparse, ctypes, os, pathlib, subprocess
import lz4.block
from dissect.util.compression import lznt1, lzxpress, lzxpress_huffman


def noise(seed, length):
    state, out = seed | 1, bytearray()
    while len(out) < length:
        state ^= state << 13 & (1 << 64) - 1
        state ^= state >> 7
        state ^= state << 17 & (1 << 64) - 1
        out += state.to_bytes(8, "little")
    return bytes(out[:length])


def text(seed, length):
    words = [b"the ", b"server ", b"MUST ", b"return ", b"credit ", b"\r\n", b"channel", b"session "]
    return b"".join(words[b & 7] for b in noise(seed, length))[:length]


def pointers(page):
    return b"".join((0xffff888000000000 | page << 12 | i * 64).to_bytes(8, "little") for i in range(512))


def memory():
    """What the fixtures hold: see tests/compress_peers.rs."""
    return bytes(4096) + pointers(7) + text(1, 4096) + noise(2, 512)


class Samba:
    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        for function in self.lib.lzxpress_compress, self.lib.lzxpress_decompress:
            function.restype = ctypes.c_ssize_t
            function.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32]

    def compress(self, data):
        out = ctypes.create_string_buffer(2 * len(data) + 64)
        size = self.lib.lzxpress_compress(data, len(data), out, len(out))
        return out.raw[:size] if 0 <= size < len(data) else None

    def decompress(self, stream, length):
        out = ctypes.create_string_buffer(length + 64)
        size = self.lib.lzxpress_decompress(stream, len(stream), out, length)
        return out.raw[:size] if size >= 0 else None


class Wimlib:
    XPRESS, LIMIT = 1, 65536

    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        size, pointer = ctypes.c_size_t, ctypes.c_void_p
        self.lib.wimlib_compress.restype = size
        self.lib.wimlib_compress.argtypes = [pointer, size, pointer, size, pointer]
        self.lib.wimlib_decompress.argtypes = [pointer, size, pointer, size, pointer]
        self.lib.wimlib_create_compressor.argtypes = [ctypes.c_int, size, ctypes.c_uint, pointer]
        self.lib.wimlib_create_decompressor.argtypes = [ctypes.c_int, size, pointer]
        self.compressor, self.decompressor = pointer(), pointer()
        assert self.lib.wimlib_create_compressor(self.XPRESS, self.LIMIT, 0, ctypes.byref(self.compressor)) == 0
        assert self.lib.wimlib_create_decompressor(self.XPRESS, self.LIMIT, ctypes.byref(self.decompressor)) == 0

    def compress(self, data):
        if not 0 < len(data) <= self.LIMIT:
            return None
        out = ctypes.create_string_buffer(len(data))
        size = self.lib.wimlib_compress(data, len(data), out, len(data) - 1, self.compressor)
        return out.raw[:size] or None

    def decompress(self, stream, length):
        if length > self.LIMIT:
            return NotImplemented
        out = ctypes.create_string_buffer(length)
        failed = self.lib.wimlib_decompress(stream, len(stream), out, length, self.decompressor)
        return None if failed else out.raw


class Lz4:
    def compress(self, data):
        return lz4.block.compress(data, mode="high_compression", store_size=False)

    def decompress(self, stream, length):
        return lz4.block.decompress(stream, uncompressed_size=length)


class Dissect:
    """Its decoders are not told the length: what they yield beyond it is cut. The one for LZ77+Huffman ends as soon as
    it has read all bytes, which may be before it used them all (hence the padding), takes the end of the stream
    for three more bytes, and looks for another block where these make the last one whole."""

    def __init__(self, module):
        self.module = module

    def compress(self, data):
        return None

    def decompress(self, stream, length):
        if self.module is lzxpress_huffman:
            if (length + 3) % 65536 < 4:
                return NotImplemented
            stream += bytes(4)
        return self.module.decompress(stream)[:length]


def corpus():
    yield "memory", memory()
    for length in 100, 4096, 4097, 10000, 65535, 65536, 65537, 131072, 140001, 200000:
        yield f"zeros {length}", bytes(length)
        yield f"text {length}", text(length, length)
        mixed = b"".join(bytes(4096) + pointers(i) + text(i, 3000) + noise(i, 700) for i in range(20))
        yield f"mixed {length}", mixed[:length]
        yield f"few {length}", bytes(b % 3 for b in noise(length, length))
    for name in os.environ.get("FILES", "").split():
        yield name, pathlib.Path(name).read_bytes()[:1 << 20]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--samba")
    options.add_argument("--wimlib")
    options.add_argument("--write", action="store_true")
    options.add_argument("program")
    options = options.parse_args()
    peers = [("lznt1", "dissect", Dissect(lznt1)), ("lz77", "dissect", Dissect(lzxpress)),
             ("lz77_huffman", "dissect", Dissect(lzxpress_huffman)), ("lz4", "lz4", Lz4())]
    if options.samba:
        peers.append(("lz77", "samba", Samba(options.samba)))
    if options.wimlib:
        peers.append(("lz77_huffman", "wimlib", Wimlib(options.wimlib)))

    def ours(data, *arguments):
        run = subprocess.run([options.program, *arguments], input=data, capture_output=True)
        return run.stdout if run.returncode == 0 else None

    counts, bad = {}, 0
    for what, data in corpus():
        for algorithm, name, peer in peers:
            tally = counts.setdefault((algorithm, name), [0, 0, 0, 0])
            stream = ours(data, algorithm)
            if stream is not None:
                back = peer.decompress(stream, len(data))
                if back is not NotImplemented:
                    tally[0] += 1
                    if back != data:
                        print("they cannot read ours:", algorithm, name, what); bad += 1
            theirs = peer.compress(data)
            if theirs is not None:
                tally[1] += 1
                tally[2] += len(theirs)
                tally[3] += len(stream or data)
                if ours(theirs, algorithm, str(len(data))) != data:
                    print("we cannot read theirs:", algorithm, name, what); bad += 1
                if options.write and what == "memory":
                    path = pathlib.Path(__file__).with_name(f"{algorithm}-{name}.hex")
                    path.write_text(theirs.hex() + "\n")
    for (algorithm, name), (read, written, their_bytes, our_bytes) in counts.items():
        print(f"{algorithm:13} {name:8} read ours {read:3}, we read theirs {written:3}; bytes {their_bytes} theirs, {our_bytes} ours")
    raise SystemExit(bad > 0)


main()
