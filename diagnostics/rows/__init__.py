"""Table rows: their feature columns, numbers for models, what matters for a prediction, and what is unusual."""
