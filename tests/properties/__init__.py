"""Hypothesis: cron, authorization, the engine."""
