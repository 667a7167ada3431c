"""What a tiny mini-MIAS folder of the tests is made of."""

NOTES = """\
Preamble of a file like the published one.
1st column: reference number
=====

mdb001 G CIRC B 535 425 197
mdb002 D NORM
mdb003 F CALC M 100 200 30
mdb003 F CALC B 300 400 10
mdb004 D NORM
"""


def make_pgm(value: int, side: int = 8) -> bytes:
    return f"P5\n{side} {side}\n255\n".encode() + bytes([value]) * side**2
