"""Scans brought to a template, so that a place in one is the same place in another.

template.py   what scans are brought to: the MNI152 brain, or the mean extent of some scans
moments.py    by centre and spread of the tissue: always works, knows no rotation
niimath.py    by niimath's affine search, another program
affine.py     the better of the two, checked: `register`

Coordinates are millimetres from the middle of a grid, RAS axes.
"""
