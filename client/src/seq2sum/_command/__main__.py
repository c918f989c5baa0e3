"""`python -m seq2sum._command`: the command where no script is installed."""

import sys

from seq2sum._command import main

sys.exit(main())
