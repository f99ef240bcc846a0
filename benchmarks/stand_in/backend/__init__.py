"""Stands in for the platform's package, so that stock APScheduler can import what rows refer to."""
