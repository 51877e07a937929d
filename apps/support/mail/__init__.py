"""Mails on disk: read whatever comes, thread it, keep it, answer it once."""
