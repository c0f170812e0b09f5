"""The live feed: what the journal's tail brings, handed on to many listeners at once. It drops the slow and says so."""
