"""What other tools have on disk already, as calls of the ledger: one file a tool, and `run` that drives them."""
