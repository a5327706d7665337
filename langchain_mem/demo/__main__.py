"""One of the demo's two processes: `python -m langchain_mem.demo talk|recall FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from langchain_mem.demo.agent import recall, talk
from langchain_mem.errors import MemError

try:
    {"talk": talk, "recall": recall}[sys.argv[1]](Path(sys.argv[2]))
except MemError as error:
    sys.exit(str(error))
