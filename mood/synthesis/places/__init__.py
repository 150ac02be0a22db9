"""Altered places in three dimensions: drawn as a few numbers with NumPy, carried out by tensor operations.

    store -> draw_places (parameters) -> altered (native voxels) -> framed (the network's grid)

Scans stay where the network is trained, as bytes; a step is given parameters only. Everything that is random is in
the parameters, so that the same parameters give the same brains on any backend.
"""
