"""What a network is: its architecture, its passes and what its outputs mean."""
