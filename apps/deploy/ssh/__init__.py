"""An environment in a folder of another machine."""
