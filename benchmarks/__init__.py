"""Measurements beside stock APScheduler, on the same server, in the same run."""
