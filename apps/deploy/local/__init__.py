"""An environment in a folder of this machine."""
