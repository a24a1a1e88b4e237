"""From a CSV, Parquet file, folder or zip to a checked table of items."""
