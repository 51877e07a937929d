"""Where requests live: in memory, or in a file. One contract for all."""
