"""The reports on the platform: late executions and failing blocks."""
