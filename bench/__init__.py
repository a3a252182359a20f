"""How fast NeonHub is, measured on both databases."""
