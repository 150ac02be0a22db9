"""The benchmark: known outliers in held-out healthy scans, every method beside the baselines.

manifest.py    the data folder's table: what is trained on, what is measured on, in which group
cases.py       a scan as it is and with outliers planted; a seed gives the same cases
baselines.py   methods to measure: those with weights, and the baselines trained here
tally.py       what a method reached on a group of cases, counted in constant memory
run.py         the loop over cases and methods
tables.py      tables, JSON and the verdict
"""
