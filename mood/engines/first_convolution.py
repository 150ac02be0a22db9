"""A program that uses the GPU once, in a process of its own, for a broken set-up may end it in any way.

`mood.runtime` starts it. It ends with 0 when a small convolution worked, compiled and not, or when this
TensorFlow is one for processors; else with 1 and a sentence on the standard error.
"""

from __future__ import annotations

import sys

RIGHT = 1024.0  # the sum of 16 x 16 pixels of 1 under 4 filters of 1


def main() -> int:
    """Exit status, as above."""
    import tensorflow as tf

    if not tf.test.is_built_with_cuda():
        return 0
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        print("TensorFlow finds none that it can use", file=sys.stderr)
        return 1
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    images, filters = tf.ones((1, 16, 16, 1)), tf.ones((1, 1, 1, 4))
    for compiled in (False, True):
        with tf.device("GPU:0"):
            convolve = tf.function(lambda x, k: tf.reduce_sum(tf.nn.conv2d(x, k, 1, "SAME")), jit_compile=compiled)
            found = float(convolve(images, filters))
        if found != RIGHT:
            print(f"it computes {found:g} where {RIGHT:g} is right", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
