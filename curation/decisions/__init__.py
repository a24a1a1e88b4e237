"""What people decided about items: events as values, and the store that keeps them."""
