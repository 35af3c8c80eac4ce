#!/usr/bin/env python
"""Django's command line. `up` runs everything; without arguments it lists what else there is."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")
    if sys.argv[1:2] == ["up"]:  # the supervisor outlives everything else and needs nothing of Django
        from helpdesk.embedded import supervisor

        sys.exit(supervisor.main(sys.argv[2:]))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
