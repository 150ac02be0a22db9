"""Mix: FPI's idea with several self-supervised tasks and a U-Net."""
