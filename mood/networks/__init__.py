"""Functional Keras builders of the published networks."""

from mood import runtime

runtime.prepare_import()  # for the modules of this package, which import Keras
