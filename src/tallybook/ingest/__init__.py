"""From the journal onwards: following, sealing, retention, summaries. No HTTP types."""
