"""Wire formats of the providers: pure functions from a payload or stream to usage, tools, finish reason and text."""
