"""Out-of-distribution detection in brain MRI and abdominal CT."""
