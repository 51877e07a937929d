"""Rules that answer before a person is asked. One file each; all need only `model`."""
