"""What a run is made of: steps, the loop over epochs, users' batches, early stopping, progress."""
