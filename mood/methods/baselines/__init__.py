"""What a method worth having must beat."""
