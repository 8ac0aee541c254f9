"""The rows of `scripts/bench ui`, a module for each part of the page."""
