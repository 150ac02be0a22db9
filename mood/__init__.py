"""Out-of-distribution detection in brain MRI and abdominal CT."""

__version__ = "0.1.0"
