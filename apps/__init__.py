"""Sample applications: read one, and you know the layout of them all."""
