"""A release pipeline over real git repositories: free in development, gated in production."""
