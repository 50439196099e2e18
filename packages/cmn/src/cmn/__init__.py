"""Collaborative Memory Network."""
