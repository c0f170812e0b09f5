"""The journal: append-only JSON lines by day, one segment a process. It knows lines, not records."""
