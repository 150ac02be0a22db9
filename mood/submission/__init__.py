"""An image on its way to the challenge: checked as the organisers run it, packed, and its parts listed."""
