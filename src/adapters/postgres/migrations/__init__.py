"""Versioned migrations of this service's own tables; APScheduler's are not ours to change."""
