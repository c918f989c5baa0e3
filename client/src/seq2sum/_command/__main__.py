"""`python -m seq2sum._command`: the command without an installed script."""

import sys

from seq2sum._command import main

sys.exit(main())
