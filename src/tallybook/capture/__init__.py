"""Capture: what an application's model calls cost, recorded on its own thread before the call returns.

No network, no SQL, no dependency but msgspec and the standard library.
"""
