"""Measures as the reports take them."""


def measure(value, half=0.1):
    return {"value": value, "low": value - half, "high": value + half, "undefined": 0, "note": ""}
