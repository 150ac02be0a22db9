"""What is made rather than scanned: training anomalies, benchmark outliers and healthy subjects."""
