"""Tallybook: the ledger of model calls."""
