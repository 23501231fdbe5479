"""What everything may use: plain values and problems, tensors, files, hashes."""
