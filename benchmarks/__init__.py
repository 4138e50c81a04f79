"""Measurements of the running service; each prints figures as JSON and judges nothing."""
