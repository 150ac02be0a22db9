"""Made-up anatomy: healthy subjects from random numbers."""
