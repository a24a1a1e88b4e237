"""Models of texts; which there are is in `diagnostics.modalities.text`."""
