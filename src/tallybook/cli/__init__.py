"""The command line: one file a command. What a test would need a terminal for is not here but in `query`."""
