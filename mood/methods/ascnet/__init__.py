"""ASC-Net: everything that only this method needs."""
