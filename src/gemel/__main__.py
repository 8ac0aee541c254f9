"""`python -m gemel` is the `gemel` command."""

from gemel.cli.main import main

raise SystemExit(main())
