"""The demo: `python -m langchain_mem.demo [FILE]`; and one of its two processes: `talk FOLDER` or `recall FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from langchain_mem.demo import main
from langchain_mem.demo.agent import recall, talk
from langchain_mem.errors import MemError

try:
    match sys.argv[1:]:
        case ["talk" | "recall" as act, folder]:
            {"talk": talk, "recall": recall}[act](Path(folder))
        case []:
            main()
        case [source]:
            main(Path(source))
        case _:
            sys.exit("Give one JSON file with a conversation, or nothing for the demo's own.")
except MemError as error:
    sys.exit(str(error))
