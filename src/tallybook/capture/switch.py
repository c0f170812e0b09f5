"""Whether the patches are in force: a wrapper that somebody wrapped cannot be taken off, only passed through."""

is_on = False
