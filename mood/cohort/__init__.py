"""Many scans on many machines: who scores which, what each leaves behind, and how it becomes one table."""
