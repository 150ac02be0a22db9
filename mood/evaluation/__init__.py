"""Predictions against labels: average precision and the rest, in tables."""
