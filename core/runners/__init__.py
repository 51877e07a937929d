"""Ways to run an agent on gated tools. One file each; import the one you use."""
