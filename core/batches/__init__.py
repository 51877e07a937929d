"""What stands behind a batch: its items, what they wait for, and one review of them."""
