"""What a person can say on the command line; every file is one group of commands."""
