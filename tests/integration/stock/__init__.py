"""Unmodified APScheduler of several versions, each in a virtual environment and a process of its own."""
