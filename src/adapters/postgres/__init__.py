"""Job stores, firing ledger, leases and wake-ups in PostgreSQL."""
