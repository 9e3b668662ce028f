"""Draws landscape.png, the example's input: hills under an evening sky. Standard library only, always the same bytes."""

import math
import struct
import sys
import zlib

WIDTH, HEIGHT = 640, 400
SUN = (455, 150, 34)


def ridge(x, seed):
    """A smooth skyline between -1 and 1: a few sines that do not repeat within the picture."""
    return sum(math.sin(x * f / 97.0 + seed * p) / f for f, p in ((1, 1.0), (2, 2.3), (3.7, 0.7), (9.1, 1.9))) / 1.9


def mix(a, b, t):
    t = min(1.0, max(0.0, t))
    return tuple(round(p + (q - p) * t) for p, q in zip(a, b))


def pixel(x, y):
    colour = mix((38, 50, 110), (250, 176, 118), y / 250)
    sun_x, sun_y, radius = SUN
    distance = math.hypot(x - sun_x, y - sun_y)
    colour = mix((255, 238, 190), colour, (distance - radius) / 130)
    for depth, (base, height, shade) in enumerate(
        ((225, 46, (128, 108, 140)), (275, 40, (84, 84, 112)), (322, 34, (46, 66, 70)), (366, 22, (20, 40, 38)))
    ):
        top = base - height * ridge(x, depth * 1.7 + 0.4)
        if y >= top:
            colour = mix(shade, mix(shade, (12, 22, 30), 0.6), (y - top) / 90)
    return colour


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png():
    rows = bytearray()
    previous = bytes(WIDTH * 3)
    for y in range(HEIGHT):
        row = bytes(part for x in range(WIDTH) for part in pixel(x, y))
        rows.append(2)  # filter "up": each byte as the difference to the one above
        rows += bytes((now - above) & 0xFF for now, above in zip(row, previous))
        previous = row
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(rows), 9))
        + chunk(b"IEND", b"")
    )


if __name__ == "__main__":
    with open(sys.argv[1] if len(sys.argv) > 1 else "landscape.png", "wb") as out:
        out.write(png())
