"""The trained model as others use it."""
