"""The scheduler against a real server and both databases."""
