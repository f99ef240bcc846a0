"""The wire, replayed."""
