"""What all tests share: how property tests choose their examples."""

import os

from hypothesis import settings

# Shared machines are slow at times: how long one example takes says nothing.
settings.register_profile("local", deadline=None)
# In CI the same examples each time: a red build is about the change it is for.
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
