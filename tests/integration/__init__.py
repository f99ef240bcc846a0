"""Real PostgreSQL, real HTTP, real processes."""
