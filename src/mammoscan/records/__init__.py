"""Typed records of what crosses a room and is written to disk: one module per kind of record."""
