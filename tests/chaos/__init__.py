"""Kills, outages, floods."""
