"""One run: model, loop, optimizer, prediction, checkpoints."""
