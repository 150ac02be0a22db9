"""Functional Keras builders of the published networks."""

from mood import runtime

runtime.prepare()  # Keras reads its backend from the environment when it is first imported
