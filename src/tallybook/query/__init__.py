"""What is asked of the ledger: functions from a store and a scope to typed reports. No terminal, SQL or clock."""
