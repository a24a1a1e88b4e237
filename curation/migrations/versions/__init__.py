"""The steps, in order; a step is never changed once it is out."""
