"""The figures of each notebook: arrays in, a page drawn; what teaches nothing of autoencoders."""
