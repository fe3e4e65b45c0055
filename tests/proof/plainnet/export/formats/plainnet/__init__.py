"""plainnet: steps as JSON, weights as .npz."""
