"""What the programs share."""
import hashlib

SIZES = (0, 1, 65535, 65536, 65537, 9000001)


def block(size):
    """`size` bytes, different for each size."""
    return hashlib.shake_128(b"%d" % size).digest(size)


def expect(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: got {got!r}, expected {wanted!r}")
