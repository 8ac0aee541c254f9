"""The devices of the demo plant, one module for each area."""
