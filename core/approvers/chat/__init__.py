"""What every chat has in common: a message per request that tells what is true by now."""
