"""The command line. Reading order: `main` (all commands), then one module a family of commands."""
