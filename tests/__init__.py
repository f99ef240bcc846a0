"""The tests; each folder says by its name what kind."""
