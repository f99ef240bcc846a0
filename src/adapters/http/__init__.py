"""Receivers and neighbour services over HTTP."""
