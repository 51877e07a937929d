"""Forms for arguments: what stands in them, what somebody typed, and how values are spelled."""
