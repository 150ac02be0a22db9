"""Training: the loop, its data, its checkpoints, and what is done with weights afterwards."""
