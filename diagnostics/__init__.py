"""From a table of items to what is wrong with it: models, predictions, scores, metrics, comparisons."""
