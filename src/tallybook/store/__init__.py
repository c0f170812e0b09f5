"""Facts and state on disk and in memory. The only part that knows SQL or a database driver."""
