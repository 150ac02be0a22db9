"""Normative: how unlike the same place in healthy scans a place looks.

features.py    slices of a registered scan through a pretrained network, at positions of the template
statistics.py  what is usual at each position: means, variances, a covariance a neighbourhood
method.py      training in one pass over the scans; distances as a map
"""
