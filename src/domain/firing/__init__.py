"""The firing engine's rules: claim what is due, dispatch it under a lease, record what became of it."""
