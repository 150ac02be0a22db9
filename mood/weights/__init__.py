"""Trained weights: where they are, what they are, and that they are whole."""
