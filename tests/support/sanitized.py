"""Whether a sanitizer is in what is tested: all then takes about ten times as long."""

import os

SANITIZED = "SWITCHYARD_SANITIZED" in os.environ
