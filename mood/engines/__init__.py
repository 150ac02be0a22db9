"""What runs trained networks: Keras on its backend, or OpenVINO."""
