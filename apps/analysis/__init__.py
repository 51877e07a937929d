"""Questions answered in SQL over DuckDB; nothing changes before a person has agreed."""
