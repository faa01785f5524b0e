"""``python -m perception`` is the ``perception`` command."""

import sys

from perception.commands.cli import main

sys.exit(main())
