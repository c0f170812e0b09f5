"""The embedded `StateStore`: one SQLite file, `state.db`."""
