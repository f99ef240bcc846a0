"""Stored files: Google Cloud Storage, or a local directory."""
