"""The report: static pages that show where scans are unusual, how unusual, and how far that can be trusted."""
