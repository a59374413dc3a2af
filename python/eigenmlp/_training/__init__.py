"""What a run is made of: early stopping, batches that users bring, progress."""
